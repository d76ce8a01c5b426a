import { once } from 'node:events';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { badCredentials } from './bad-credentials.ts';
import { authOf } from './faces.ts';
import { type Front, openFront } from './front.ts';
import { audienceOf, type Lab, mintApiTokens, openLab } from './lab.ts';
import { modernCall, sendRaw } from './send.ts';

const publicUrl = 'https://gate.example';
let lab: Lab;
let front: Front;

beforeAll(async () => {
  const opened = await openLab({ publicUrl, method: 'POST', path: '/mcp' });
  const views = { public: { tools: ['desk.Desk.Open'] } };
  const auth = authOf(opened, { certificateProxies: [] }) as JsonObject;
  front = await openFront({ publicUrl, views, auth, trustedProxies: ['127.0.0.1/32'], catalog: { serverCards: true } });
  const { state, pepper } = front;
  lab = { ...opened, state, apiTokens: await mintApiTokens({ ...opened.deps, tokens: state.tokens, pepper }, state) };
});
afterAll(async () => {
  await front.close();
  await lab.close();
});

type Header = readonly [name: string, value: string];

const send = (method: string, path: string, headers: readonly Header[], body?: object) =>
  sendRaw({ origin: front.origin, method, path, headers, ...(body && { body: JSON.stringify(body) }) });

describe('every address that is not for everybody', () => {
  const session: readonly Header[] = [['Mcp-Session-Id', 'x']];
  it.each<readonly [method: string, path: string, named: string, more: readonly Header[]]>([
    ['GET', '/mcp/tools', '/mcp', []],
    ['POST', '/mcp/call', '/mcp', []],
    ['GET', '/mcp/catalog', '/mcp', []],
    ['GET', '/v0.1/servers', '/mcp', []],
    ['GET', '/v0.1/servers/x/versions', '/mcp', []],
    ['POST', '/mcp', '/mcp', []],
    ['POST', '/mcp/desk', '/mcp/desk', []],
    ['POST', '/mcp/nobody', '/mcp/nobody', []],
    ['POST', '/mcp/views/public', '/mcp/views/public', []],
    ['GET', '/mcp', '/mcp', session],
    ['GET', '/mcp/desk', '/mcp/desk', session],
    ['DELETE', '/mcp', '/mcp', session],
    ['DELETE', '/mcp/views/public', '/mcp/views/public', session],
  ] as const)('%s %s refuses a bad token with 401, a challenge and one record', async (method, path, named, more) => {
    const before = front.records.length;
    const body = method === 'POST' ? {} : undefined;
    const json = ['Content-Type', 'application/json'] as const;
    const accept = ['Accept', 'application/json, text/event-stream'] as const;
    const reply = await send(method, path, [['Authorization', 'Bearer bad'], json, accept, ...more], body);
    expect([reply.status, reply.header('www-authenticate')]).toEqual([
      401,
      expect.stringContaining(`resource_metadata="https://gate.example/.well-known/oauth-protected-resource${named}"`),
    ]);
    expect(front.records.slice(before).map(({ reason }) => reason)).toEqual(['credential_invalid']);
  });
});

/** Those that a browser could put into a message: a token, and nothing beside it. */
const messageRows = badCredentials.filter(({ reason }) => !reason.startsWith('proof'));

describe('a WebSocket on which each message shows its own token', () => {
  it('lets in good ones, and none of the bad ones, message by message', async () => {
    const socket = new WebSocket(`${front.origin.replace('http', 'ws')}/mcp/ws`);
    await once(socket, 'open');
    const ask = async (token: string) => {
      const { body } = modernCall('desk.Desk.Open');
      socket.send(JSON.stringify({ ...body, params: { ...body.params, _token: token } }));
      const answer = JSON.parse(String((await once(socket, 'message'))[0]));
      return answer.error?.data?.reason ?? 'answered';
    };
    const good = () => lab.company.mint({ aud: audienceOf(lab.target) });
    expect(await ask(await good())).toBe('answered');
    let tried = 0;
    for (const { name, reason, attempt } of messageRows) {
      const { authorization = [], dpop, query, inBody, certificate } = await attempt(lab);
      const [, token] =
        /^Bearer ([\x21-\x7e]+)$/.exec(authorization.length === 1 ? (authorization[0] ?? '') : '') ?? [];
      if (token === undefined || [dpop, query, inBody, certificate].some((more) => more !== undefined)) continue;
      tried++;
      const [recorded, reached] = [front.records.length, front.seen.length];
      expect(await ask(token), name).toBe(reason);
      expect(front.records.slice(recorded).map((record) => record.reason)).toEqual([reason]);
      expect(front.seen.length).toBe(reached);
    }
    expect(tried).toBeGreaterThan(120);
    expect(await ask(await good())).toBe('answered');
    socket.terminate();
  });

  it('does not let a message speak for another than the connection', async () => {
    const token = await lab.company.mint({ aud: audienceOf(lab.target) });
    const other = await lab.company.mint({ aud: audienceOf(lab.target), sub: 'bob' });
    const socket = new WebSocket(`${front.origin.replace('http', 'ws')}/mcp/ws`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    await once(socket, 'open');
    const { body } = modernCall('desk.Desk.Open');
    socket.send(JSON.stringify({ ...body, params: { ...body.params, _token: other } }));
    await once(socket, 'message');
    expect(front.seen.at(-1)?.principal.subject).toBe('company:alice');
    socket.terminate();
  });
});

describe('a proxy that is trusted for addresses', () => {
  const forged: readonly Header[] = [
    ['Forwarded', 'for=10.9.9.9;host=evil.example;proto=http'],
    ['X-Forwarded-Host', 'evil.example'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-For', '10.9.9.9'],
    ['X-Forwarded-Client-Cert', `Hash=${'0'.repeat(64)}`],
  ];
  const { headers, body } = modernCall('desk.Desk.Open');

  it('changes who is said to have called, and nothing of what tokens and proofs are for', async () => {
    const path = '/.well-known/oauth-protected-resource/mcp';
    expect((await send('GET', path, forged)).json().resource).toBe(`${publicUrl}/mcp`);
    const evil = await lab.company.mint({ aud: 'https://evil.example/mcp' });
    const good = await lab.company.mint({ aud: `${publicUrl}/mcp` });
    const ask = (token: string) =>
      send('POST', '/mcp', [...headers, ...forged, ['Authorization', `Bearer ${token}`]], body);
    expect([(await ask(evil)).status, (await ask(good)).status]).toEqual([401, 200]);
    expect(front.records.at(-1)?.origin).toMatchObject({ peer: '10.9.9.9' });
    expect(front.records.at(-1)?.origin.certificate).toBeUndefined();

    const bound = await lab.company.mint({ aud: publicUrl, cnf: { jkt: lab.holder.jkt } });
    const statuses: number[] = [];
    for (const url of ['http://evil.example/mcp', 'https://evil.example/mcp', `${publicUrl}/mcp`]) {
      const proof = await lab.holder.prove({ method: 'POST', url, token: bound });
      const proven: readonly Header[] = [
        ['Authorization', `DPoP ${bound}`],
        ['DPoP', proof],
      ];
      statuses.push((await send('POST', '/mcp', [...headers, ...forged, ...proven], body)).status);
    }
    expect(statuses).toEqual([401, 401, 200]);
  });
});
