import { once } from 'node:events';
import { GatewayError } from '@sallyport/core';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createRig, startHttp } from '../../packages/gateway/src/transport/testing/rig.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const message = (params: object) => JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params });

/** Sends a message on a socket without a token of its own, lets ten seconds pass, and tells whether it is still open. */
async function isOpenAfter(params: object, refusal?: GatewayError): Promise<boolean> {
  const refusals: GatewayError[] = [];
  const admit = (): void => {
    for (const each of refusals) throw each;
  };
  const { http, port } = await startHttp(createRig({}, { admit }));
  cleanups.push(() => http.close(0));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const ws = new WebSocket(`ws://127.0.0.1:${port}/mcp/ws`);
  cleanups.push(() => ws.terminate());
  await once(ws, 'open');
  if (refusal) refusals.push(refusal);
  ws.send(message(params));
  await once(ws, 'message');
  vi.advanceTimersByTime(10_001);
  ws.ping();
  return Promise.race([once(ws, 'pong').then(() => true), once(ws, 'close').then(() => false)]);
}

it('a stranger who is refused for sending too much earns no more time by it', async () => {
  expect(await isOpenAfter({}, new GatewayError('peer_limited', { retryAfterMs: 1 }))).toBe(false);
});

it('a stranger who shows a bad token earns none either', async () => {
  expect(await isOpenAfter({ _token: 'bad' })).toBe(false);
});

it('whoever shows a good token may stay', async () => {
  expect(await isOpenAfter({ _token: 'good' })).toBe(true);
});
