import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Front, openFront } from './front.ts';
import { drawKey, startIssuer, type TestIssuer } from './issuer.ts';
import { modernCall, sendRaw } from './send.ts';

const publicUrl = 'https://gate.example';
let company: TestIssuer;
let front: Front;

const views = { public: { tools: ['desk.*'] } };
const config = (auth: object, more: object = {}): JsonObject => ({
  publicUrl,
  views,
  auth: auth as JsonObject,
  ...more,
});
const known = (more: object = {}) => ({ issuers: { company: { issuer: company.url, ...more } } });

beforeAll(async () => {
  company = await startIssuer([await drawKey('e1')]);
  front = await openFront(config({}));
});
afterAll(async () => {
  await Promise.all([front.close(), company.close()]);
});

function call(token?: string, { path = '/mcp', tool = 'desk.Desk.Read' } = {}) {
  const { headers, body } = modernCall(tool);
  const authorization = token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const];
  const sending = { origin: front.origin, method: 'POST', path, headers: [...headers, ...authorization] };
  return sendRaw({ ...sending, body: JSON.stringify(body) });
}

it('what the file says of who may come in counts from the next call on, also for who is known already', async () => {
  const token = await company.mint({ aud: publicUrl, scope: 'posts:read' });
  const status = async () => (await call(token)).status;
  const reload = async (next: JsonObject) => expect(await front.reload(next)).toEqual([]);
  expect(await status()).toBe(401);
  expect((await call(token)).header('www-authenticate')).not.toContain('resource_metadata');

  await reload(config(known()));
  expect([await status(), await status()]).toEqual([200, 200]);
  expect((await call()).header('www-authenticate')).toContain('resource_metadata');

  await reload(config(known({ scopes: ['other:*'] })));
  expect(await status()).toBe(403);
  await reload(config(known({ requireBinding: true })));
  expect(await status()).toBe(401);
  await reload(config(known(), { publicUrl: 'https://moved.example' }));
  expect(await status()).toBe(401);
  await reload(config(known({ prefix: 'acme:' })));
  expect(await status()).toBe(200);
  expect(front.seen.at(-1)?.principal.subject).toBe('acme:alice');

  await reload(config({}));
  expect(await status()).toBe(401);
});

it('a view is open for as long as the file says so', async () => {
  const status = async () => (await call(undefined, { path: '/mcp/views/public', tool: 'desk.Desk.Open' })).status;
  expect(await status()).toBe(401);
  await front.reload(config({ anonymous: [{ view: 'public' }] }));
  expect(await status()).toBe(200);
  await front.reload(config({}));
  expect(await status()).toBe(401);
});

it('a file with a mistake in it changes nothing', async () => {
  await front.reload(config(known()));
  const token = await company.mint({ aud: publicUrl, scope: 'posts:read' });
  expect((await call(token)).status).toBe(200);
  for (const auth of [
    { ...known(), anonymous: [{ view: 'pubic' }] },
    { ...known(), certificates: [{ subject: 'CN=ci' }] },
    known({ algorithms: ['HS256'] }),
    known({ algorithms: ['none'] }),
    { issuers: { company: { issuer: 'http://login.example' } } },
  ]) {
    await expect(front.reload(config(auth))).rejects.toThrow();
  }
  expect((await call(token)).status).toBe(200);
});
