import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askModern, type Target } from './support/clients.ts';
import { endAll, startServer, startWorld, type World } from './support/world.ts';

const tool = (name: unknown): JsonObject => ({ name: name as string, inputSchema: { type: 'object' } });
const odd = [
  ...[
    '',
    ' ',
    'a b',
    'a\nb',
    'a\u0000b',
    'a\u202eb',
    'a\u200bb',
    'а',
    'a*',
    'a"b',
    'a\\b',
    'x'.repeat(129),
    'é',
    'prompts/ask',
    'resources/a://x',
  ],
  ...[5, null, {}, ['a']],
].map(tool);
const fine = ['do', '__proto__', 'constructor', 'tools/call', '../other', 'a:b', 'other.do'];
const lists = {
  tools: [...odd, ...fine.map(tool), tool('do'), tool('twin.a'), tool('twin_a')],
  prompts: [{ name: 'ask' }, { name: '__proto__' }, { name: 'a\u202eb' }, { name: '\u0007' }],
  resources: ['a://x', 'a://\u202e/x', 'a://x\u200b', 'a://x\n', 'no uri \u2028', 'a://é', ''].map((uri) => ({
    uri,
    name: 'n',
  })),
};
const capabilities = { tools: {}, prompts: {}, resources: {} };

let world: World;
let caller: Target;

beforeAll(async () => {
  const evil = await startServer({ eras: ['modern'], lists, capabilities });
  const other = await startServer({ eras: ['modern'], lists: { tools: [tool('do'), tool('secret')] } });
  world = await startWorld(
    { evil: { address: evil.url }, other: { address: other.url } },
    { tools: { 'other.secret': { internal: true } }, views: { few: { tools: ['other.*'], names: 'safe' } } },
  );
  caller = { url: world.mcp, token: await world.mint('a') };
});
afterAll(endAll);

const names = async (target: Target, method: string, member: string, key = 'name'): Promise<readonly string[]> => {
  const { last } = await askModern(target, method, {});
  return last.result[member].map((entry: Readonly<Record<string, string>>) => entry[key]);
};
const at = (path: string): Target => ({ ...caller, url: new URL(path, caller.url).href });

it('of tools with names that cannot be told apart, seen or written, none is offered', async () => {
  const offered = [...fine, 'twin.a'].map((name) => `evil.${name}`);
  expect([...(await names(caller, 'tools/list', 'tools'))].sort()).toEqual([...offered, 'other.do'].sort());
  expect(await names(at('/mcp/evil'), 'tools/list', 'tools')).toEqual([...fine, 'twin.a']);
  expect(await names(caller, 'prompts/list', 'prompts')).toEqual(['evil.__proto__', 'evil.ask']);
  expect(await names(caller, 'resources/list', 'resources', 'uri')).toEqual(['evil+a://x', 'evil+a://é']);
});

it('a name with that of another service in it reaches only the server that has it', async () => {
  const ask = async (target: Target, name: string): Promise<unknown> => {
    const { last } = await askModern(target, 'tools/call', { name, arguments: { from: name } });
    return last.result?.content?.[0]?.text ?? last.error.data.reason;
  };
  expect(await ask(caller, 'evil.other.do')).toContain('evil.other.do');
  expect(await ask(at('/mcp/evil'), 'other.do')).toContain('other.do');
  for (const name of ['other.secret', 'evil.other.secret', 'other.other.secret', 'other_secret']) {
    expect(await ask(caller, name)).toBe('unknown_tool');
  }
  for (const name of ['evil.do', 'evil_do', '../evil.do', 'do']) {
    expect(await ask(at('/mcp/views/few'), name)).toBe('unknown_tool');
  }
  expect(await ask(at('/mcp/views/few'), 'other_do')).toContain('other_do');
  expect(await ask(at('/mcp/other'), 'evil.do')).toBe('unknown_tool');
});

it('names that objects have of themselves mean nothing', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    for (const [method, params] of [
      ['tools/call', { name, arguments: {} }],
      ['prompts/get', { name }],
      ['resources/read', { uri: name }],
    ] as const) {
      const { last } = await askModern(caller, method, params);
      expect(last.error.data.reason).toMatch(/^unknown_/);
    }
  }
});
