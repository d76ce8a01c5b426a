import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeclinedInvocation, ServiceInvocation } from '../../packages/gateway/src/registry/invocations.ts';
import { checkManifest } from '../../packages/gateway/src/registry/manifest.ts';
import {
  type AnnounceHarness,
  createAnnounceHarness,
} from '../../packages/gateway/src/registry/testing/announce-harness.ts';
import { fakeManifest } from '../../packages/gateway/src/registry/testing/fake-service.ts';
import { createKitUpstream } from '../../packages/gateway/src/upstream/kit.ts';

let harness: AnnounceHarness;
beforeEach(async () => {
  harness = await createAnnounceHarness((nowMs) => (request) => createKitUpstream({ ...request, nowMs }));
});
afterEach(() => harness.end());

describe('a service with a credential, and bad intentions', () => {
  it.each([
    ['a prototype', '{"__proto__":{"admin":true}}'],
    ['a prototype further in', '{"a":[{"__proto__":1}]}'],
    ['half a character', '{"a":"\\ud800"}'],
    ['a number that changes on the way', '{"a":9007199254740993}'],
    ['what is too deep', `{"a":${'['.repeat(100)}${']'.repeat(100)}}`],
    ['what is so deep that it cannot be printed', `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
  ])('cannot pass on %s that no agent could, and is heard of', async (_name, args) => {
    const declined: DeclinedInvocation[] = [];
    const invoked: ServiceInvocation[] = [];
    await harness.start({
      onDecline: async (one) => void declined.push(one),
      onInvoke: (one) => Promise.resolve({ ok: String(invoked.push(one)) }),
    });
    const posts = await harness.service('posts');
    const answered = posts.request('s1', 'ping', {});
    posts.send(`{"jsonrpc":"2.0","id":"s2","method":"invoke","params":{"tool":"users.A.B","arguments":${args}}}\n`);
    await answered;
    await posts.request('s3', 'ping', {});
    expect(invoked).toEqual([]);
    expect(declined).toMatchObject([{ service: 'posts', error: { reason: 'malformed_params' } }]);
  });

  it.each([
    ['a result in a layout of its own', '{"id":1,"jsonrpc":"2.0","result":DEEP}'],
    ['an error with too much to say', '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"","data":{"a":DEEP}}}'],
    ['progress', '{"jsonrpc":"2.0","method":"progress","params":{"id":1,"progress":1,"message":DEEP}}'],
    ['a request', '{"jsonrpc":"2.0","id":"s1","method":"invoke","params":DEEP}'],
    ['nothing that is known', 'DEEP'],
  ])('cannot end the gateway with %s that is nested without end', async (_name, line) => {
    await harness.start();
    const posts = await harness.service('posts');
    posts.send(`${line.replace('DEEP', '['.repeat(200_000) + ']'.repeat(200_000))}\n`);
    const users = await harness.service('users');
    expect(await users.request('s1', 'ping', {})).toMatchObject({ kind: 'result' });
  });

  it('is heard of when it asks for what does not exist', async () => {
    const declined: DeclinedInvocation[] = [];
    await harness.start({ onDecline: async (one) => void declined.push(one) });
    const posts = await harness.service('posts');
    expect(await posts.request('s1', 'shutdown', {})).toMatchObject({ error: { code: -32601 } });
    expect(declined).toMatchObject([{ service: 'posts', instance: 'i1', error: { reason: 'method_unknown' } }]);
  });

  it('cannot end the gateway with the example of a tool', async () => {
    await harness.start();
    for (const depth of [65, 5_000, 200_000]) {
      const a = JSON.parse('['.repeat(depth) + ']'.repeat(depth));
      expect(checkManifest(withExample({ a }))).toMatchObject({ ok: false });
    }
    expect(checkManifest(withExample({ a: [[['deep']]] }))).toMatchObject({ ok: true });
  });

  it('cannot announce the service of another, though it proved itself', async () => {
    await harness.start();
    const thief = harness.service('posts', { manifest: fakeManifest('users') });
    expect(await (await thief).announced).toMatchObject({ kind: 'error' });
    expect(harness.names()).toEqual([]);
  });
});

/** A chain of definitions, each of which asks the next one twice: a value is looked at 2ⁿ times. */
function doubling(length: number): object {
  const $defs: Record<string, object> = { [`d${length}`]: { type: 'object' } };
  for (let i = 0; i < length; i++) {
    const next = { $ref: `#/$defs/d${i + 1}` };
    $defs[`d${i}`] = { allOf: [next, next] };
  }
  return { type: 'object', $defs, $ref: '#/$defs/d0' };
}

const withSchema = (inputSchema: object) => ({
  ...fakeManifest('posts'),
  tools: [{ name: 'A.B', description: '', inputSchema }],
});

const withExample = (example: object) => ({
  ...fakeManifest('posts'),
  tools: [{ name: 'A.B', description: '', inputSchema: { type: 'object' }, examples: [example] }],
});

describe('the schema of a service', () => {
  it.each([20, 60, 200])('that doubles the work with each of %i definitions is refused', (length) => {
    expect(checkManifest(withSchema(doubling(length)))).toMatchObject({
      ok: false,
      message: expect.stringContaining('references'),
    });
  });

  it.each([
    ['that would be checked later, which is never', { $async: true }],
    ['that would, written in another way', { $async: {} }],
    ['with a part that would be checked later', { $defs: { a: { $async: true } } }],
    ['with a part that takes the name of another schema', { properties: { a: { $id: 'https://example.com/a' } } }],
  ])('%s is refused', (_name, part) => {
    expect(checkManifest(withSchema({ type: 'object', ...part }))).toMatchObject({ ok: false });
  });

  it.each([
    ['more patterns than the gateway can compile between two calls', { type: 'string', pattern: '^a' }, 201],
    ['more parts', {}, 5_001],
  ])('that has %s is refused', (_name, part, count) => {
    const properties = Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, part]));
    expect(checkManifest(withSchema({ type: 'object', properties }))).toMatchObject({
      ok: false,
      message: expect.stringContaining('more than'),
    });
  });

  it('may have a property of any name', () => {
    const properties = { $id: { type: 'string' }, $ref: { type: 'string' } };
    expect(checkManifest(withSchema({ type: 'object', $id: 'https://example.com/a', properties }))).toMatchObject({
      ok: true,
    });
  });

  it('may use a definition in many places, and refer to itself', () => {
    const text = { type: 'object', properties: { text: { type: 'string' } } };
    const properties = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`p${i}`, { $ref: '#/$defs/text' }]));
    const tree = { type: 'object', properties: { children: { type: 'array', items: { $ref: '#' } } } };
    expect(checkManifest(withSchema({ type: 'object', $defs: { text }, properties }))).toMatchObject({ ok: true });
    expect(checkManifest(withSchema(tree))).toMatchObject({ ok: true });
    expect(checkManifest(withSchema(doubling(5)))).toMatchObject({ ok: true });
  });
});
