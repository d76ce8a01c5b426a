import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { drawHolder } from './holder.ts';
import { openResource, publicUrl, type Resource } from './resource.ts';
import { sendRaw } from './send.ts';

let resource: Resource;
const metadata: Resource['metadata'] = (path) => resource.metadata(path);
const tokenFor: Resource['tokenFor'] = (audience, claims) => resource.tokenFor(audience, claims);
const ask: Resource['ask'] = (asking) => resource.ask(asking);
const upgrade: Resource['upgrade'] = (path, token) => resource.upgrade(path, token);

beforeAll(async () => {
  resource = await openResource();
});
afterAll(() => resource.close());

describe('who presents nothing', () => {
  it('is let in at the view that the configuration names, and nowhere else', async () => {
    const found: Record<string, number> = {};
    for (const path of [
      '/mcp/views/public',
      '/mcp/views/closed',
      '/mcp/views/nothing',
      '/mcp',
      '/mcp/desk',
      '/mcp/call',
    ]) {
      found[path] = (await ask({ path })).status;
    }
    expect(found).toEqual({
      ...{ '/mcp/views/public': 200, '/mcp/views/closed': 401, '/mcp/views/nothing': 401 },
      ...{ '/mcp': 401, '/mcp/desk': 401, '/mcp/call': 401 },
    });
    expect(resource.front.seen.at(-1)?.principal).toMatchObject({
      subject: 'anonymous:public',
      kind: 'agent',
      scopes: [],
    });
    expect((await ask({ path: '/mcp/views/public', tool: 'desk.Desk.Read' })).status).toBe(403);
  });

  it('is not who presents something bad there', async () => {
    for (const token of ['bad', await tokenFor('https://other.example')]) {
      expect((await ask({ path: '/mcp/views/public', token })).status).toBe(401);
    }
  });

  it('may keep a WebSocket at that view, and at no other for longer than it takes to show a token', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const [open, closed] = [await upgrade('/mcp/views/public/ws'), await upgrade('/mcp/views/closed/ws')];
      expect([open.status, closed.status]).toEqual([101, 101]);
      let isOpenOver = false;
      open.socket?.once('data', () => {
        isOpenOver = true;
      });
      const farewell = closed.socket && once(closed.socket, 'data');
      vi.advanceTimersByTime(11_000);
      expect(String((await farewell)?.[0])).toContain('credential_missing');
      expect(isOpenOver).toBe(false);
      for (const { socket } of [open, closed]) socket?.destroy();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a proof of possession', () => {
  it.each(['/mcp', '/mcp/desk', '/mcp/views/closed', '/mcp/call'])(
    'at %s names the public address, not the one asked',
    async (path) => {
      const holder = await drawHolder();
      const token = await tokenFor(publicUrl, { cnf: { jkt: holder.jkt } });
      const proofFor = (url: string) => holder.prove({ method: 'POST', url, token });
      const status = async (url: string) =>
        (await ask({ path, token, scheme: 'DPoP', more: [['DPoP', await proofFor(url)]] })).status;
      expect([await status(publicUrl + path), await status(resource.front.origin + path)]).toEqual([200, 401]);
    },
  );

  it('is a must for tokens of an issuer whose tokens must be bound', async () => {
    const holder = await drawHolder();
    const loose = await resource.strict.mint({ aud: publicUrl });
    const bound = await resource.strict.mint({ aud: publicUrl, cnf: { jkt: holder.jkt } });
    const proof = await holder.prove({ method: 'POST', url: `${publicUrl}/mcp`, token: bound });
    expect((await ask({ token: loose })).status).toBe(401);
    expect((await ask({ token: bound, scheme: 'DPoP', more: [['DPoP', proof]] })).status).toBe(200);
  });

  it('is kept out of what listeners are told', () => {
    expect(resource.front.records.some(({ origin }) => origin.http !== undefined)).toBe(true);
    expect(resource.front.records.flatMap(({ origin }) => origin.http?.proofs ?? [])).toEqual([]);
  });
});

describe('forwarded headers that somebody made up', () => {
  const forged = ['evil.example', 'https://evil.example'].flatMap((host) => [
    ['Forwarded', `for=10.0.0.1;host=${host};proto=http`] as const,
    ['X-Forwarded-Host', host] as const,
    ['X-Forwarded-Proto', 'http'] as const,
    ['X-Forwarded-For', '10.0.0.1'] as const,
    ['X-Forwarded-Port', '1'] as const,
    ['X-Forwarded-Prefix', '/evil'] as const,
    ['X-Original-URL', '/mcp/views/public'] as const,
    ['X-Forwarded-Client-Cert', `Hash=${'0'.repeat(64)};URI=spiffe://acme/admin`] as const,
  ]);

  it('do not change the resource of the metadata, nor where challenges lead', async () => {
    const path = '/.well-known/oauth-protected-resource/mcp';
    const reply = await sendRaw({ origin: resource.front.origin, method: 'GET', path, headers: forged });
    expect(reply.text).toBe((await metadata(path)).text);
    expect((await ask({ more: forged })).header('www-authenticate')).toBe((await ask({})).header('www-authenticate'));
  });

  it('do not change what a token has to be meant for', async () => {
    for (const audience of ['https://evil.example', 'http://evil.example/mcp', 'https://evil.example/ai/mcp']) {
      expect((await ask({ token: await tokenFor(audience), more: forged })).status).toBe(401);
    }
    expect((await ask({ token: await tokenFor(publicUrl), more: forged })).status).toBe(200);
  });

  it('do not change the address that a proof has to name', async () => {
    const holder = await drawHolder();
    const token = await tokenFor(publicUrl, { cnf: { jkt: holder.jkt } });
    const statuses: number[] = [];
    for (const url of ['https://evil.example/ai/mcp', 'http://evil.example/mcp', `${publicUrl}/mcp`]) {
      const proof = await holder.prove({ method: 'POST', url, token });
      statuses.push((await ask({ token, scheme: 'DPoP', more: [...forged, ['DPoP', proof]] })).status);
    }
    expect(statuses).toEqual([401, 401, 200]);
  });

  it('do not change who is said to have called', async () => {
    const before = resource.front.records.length;
    await ask({ token: await tokenFor(publicUrl), more: forged });
    expect(resource.front.records.slice(before).map(({ origin }) => [origin.peer, origin.certificate])).toEqual([
      ['127.0.0.1', undefined],
    ]);
  });

  it('nor does a Host that is nobody: it is refused before anything is read', async () => {
    const reply = await ask({ token: await tokenFor(publicUrl), more: [['Host', 'evil.example']] });
    expect([reply.status, reply.text]).toEqual([403, expect.stringContaining('"origin_refused"')]);
  });
});
