import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GatewayError } from '@sallyport/core';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Exchange, exchange } from './http-exchange.ts';

let agent: Agent;
let arrived: string[];
const server = createServer((request, response) => {
  arrived.push(request.url ?? '');
  if (request.url === '/redirect') response.writeHead(307, { location: '/elsewhere' }).end('moved');
  else response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
});

beforeEach(async () => {
  arrived = [];
  agent = new Agent();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});

afterEach(async () => {
  await agent.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

const request = (path: string, overrides: Partial<Exchange> = {}): Exchange => ({
  url: new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`),
  headers: {},
  body: '{}',
  signal: new AbortController().signal,
  maxBytes: 1_000,
  isFinal: () => true,
  ...overrides,
});

describe('an exchange over HTTP', () => {
  it('begins nothing for a caller that left while the socket was connecting', async () => {
    const caller = new AbortController();
    const onStart = vi.fn();
    const reply = exchange(agent, request('/', { signal: caller.signal, onStart }));
    caller.abort(new GatewayError('cancelled'));
    await expect(reply).rejects.toMatchObject({ reason: 'cancelled' });
    // By the time another exchange is over, the first would have begun.
    await exchange(agent, request('/after'));
    expect(onStart).not.toHaveBeenCalled();
    expect(arrived).toEqual(['/after']);
  });

  it('sends nothing when it is stopped right before the first byte', async () => {
    const onStart = () => {
      throw new Error('spent');
    };
    await expect(exchange(agent, request('/', { onStart }))).rejects.toThrow('spent');
    await exchange(agent, request('/after'));
    expect(arrived).toEqual(['/after']);
  });

  it('follows no redirect', async () => {
    expect(await exchange(agent, request('/redirect'))).toMatchObject({ status: 307, message: 'moved' });
    expect(arrived).toEqual(['/redirect']);
  });

  it('says that nothing was sent when nobody listens, or a header cannot be sent', async () => {
    const nobody = request('/', { url: new URL('http://127.0.0.1:1/') });
    await expect(exchange(agent, nobody)).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    const split = request('/', { headers: { authorization: 'Bearer a\r\nx: y' } });
    await expect(exchange(agent, split)).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    expect(arrived).toEqual([]);
  });
});
