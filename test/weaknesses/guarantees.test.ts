import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { service } from '@sallyport/kit';
import { mask, rest } from '@sallyport/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { startGateway, type TestGateway, trialService, writeConfig } from '../e2e/support/gateway.ts';
import { inlineService } from '../e2e/support/inline.ts';
import { callOnce, startLoad, tally } from '../e2e/support/load.ts';
import { endAll, repository, temporaryFolder, until } from '../e2e/support/program.ts';
import { ways } from '../e2e/support/ways.ts';

const more = `
tools: { 'trials.Trial.Limited': { limit: { rate: 0.01, burst: 1 } } }
limits: { presets: { read: { rate: 10000, burst: 10000 } }, maxRequestBytes: 65536, headersTimeout: 1s, requestTimeout: 2s, maxConnections: 60 }
`;
let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  const folder = temporaryFolder();
  const inline = `  inline: { command: [node, --input-type=module, -e, ${JSON.stringify(inlineService)}], cwd: ${repository} }`;
  const services = `${trialService('trials')}\n${inline}`;
  gateway = await startGateway('run', writeConfig(folder, `services:\n${services}\n${more}`));
  token = await gateway.mint('agent', ['trials:use', 'inline:use']);
});
afterAll(endAll);

/** A token is `sp_`, an id of 16 characters, `_`, and the secret. */
const idEnd = 19;
const secretOf = (text: string): string => text.slice(idEnd + 1);
const headers = (bearer?: string): Record<string, string> => ({
  'Content-Type': 'application/json',
  ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
});
const at = (path: string): string => new URL(path, gateway.mcp).href;
const post = (path: string, body: string, bearer?: string) =>
  fetch(at(path), { method: 'POST', headers: headers(bearer), body });
const call = (tool: string, input = {}, bearer = token) => callOnce({ mcp: gateway.mcp, token: bearer, tool, input });
const listed = async (bearer = token): Promise<any[]> =>
  ((await (await fetch(at('/mcp/tools'), { headers: headers(bearer) })).json()) as any).tools;

it('nothing is open by default: every way in asks for a token, and administration is not among the tools', async () => {
  const echo = '{"tool":"trials.Trial.Who","input":{}}';
  const rpc = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}';
  expect((await fetch(at('/mcp/tools'))).status).toBe(401);
  expect((await post('/mcp/call', echo)).status).toBe(401);
  expect((await post('/mcp', rpc)).status).toBe(401);
  const socket = new WebSocket(`${gateway.mcp.href.replace('http', 'ws')}/ws`);
  await once(socket, 'open');
  socket.send(rpc);
  const [answer] = await once(socket, 'message');
  expect(JSON.parse(String(answer)).error.data.reason).toBe('credential_missing');
  socket.terminate();
  expect(
    (await fetch(`${gateway.admin}/admin/v1/tokens.list`, { method: 'POST', headers: headers(), body: '{}' })).status,
  ).toBe(401);

  const all = await gateway.mint('everything', ['*']);
  expect((await listed(all)).filter(({ name }) => !/^(trials|inline)\./.test(name))).toEqual([]);
  for (const name of ['tokens.create', 'admin.tokens.create', 'catalog.show']) {
    expect((await call(name, {}, all)).end).toBe('unknown_tool');
  }
});

it('one decision holds on every path: a missing scope is refused over each of them, and there is no door beside them', async () => {
  const narrow = await gateway.mint('narrow', ['trials:other']);
  for (const connectWay of Object.values(ways)) {
    const way = await connectWay({ mcp: gateway.mcp, token: narrow });
    expect(await way.call('trials.Trial.Who')).toMatchObject({ kind: 'refused', reason: 'insufficient_scope' });
    expect(await way.list()).toEqual([]);
    await way.close();
  }
  // The gateway's own socket is for those who can prove which service they are.
  const stranger = connect(join(gateway.data, 'hop.sock'));
  stranger.on('error', () => undefined);
  stranger.write('{"jsonrpc":"2.0","id":0,"method":"announce","params":{"instance":"x","manifest":{}}}\n');
  await new Promise((resolve) => stranger.resume().once('close', resolve));
  expect((await gateway.services()).map(({ name }) => name)).toEqual(['inline', 'trials']);
});

it('saying more about a tool never takes its scopes away', async () => {
  const tasks = service('tasks', { version: '1.0.0' });
  tasks.describe('Task.Delete', { scopes: ['tasks:admin'], auditRequired: true });
  tasks.tool('Task.Delete', { description: 'Deletes.', input: z.object({}) }, () => ({}));
  tasks.describe('Task.Delete', { description: 'Deletes for good.', examples: [{ input: {} }] });
  const [tool] = (await tasks.manifest()).tools;
  expect(tool).toMatchObject({ scopes: ['tasks:admin'], auditRequired: true, description: 'Deletes for good.' });
});

it('a star in a scope means the same everywhere: all scopes of tools, or all under a prefix, never administration', async () => {
  const of = (scope: string) => gateway.mint(`star-${scope.replace(/\W/g, '')}-${scope.length}`, [scope]);
  const [star, prefix, other] = [await of('*'), await of('trials:*'), await of('inline:*')];
  for (const good of [star, prefix]) {
    expect((await call('trials.Trial.Admin', {}, good)).end).toBe('answered');
    expect((await listed(good)).map(({ name }) => name)).toContain('trials.Trial.Admin');
  }
  expect((await call('trials.Trial.Admin', {}, other)).end).toBe('insufficient_scope');
  const asAdmin = await fetch(`${gateway.admin}/admin/v1/tokens.list`, {
    method: 'POST',
    headers: headers(star),
    body: '{}',
  });
  expect([401, 403]).toContain(asAdmin.status);
});

it('only tokens that were made here are good: anything else is refused, all in the same words', async () => {
  const [id, secret] = [token.slice(3, idEnd), secretOf(token)];
  const bad = [
    'garbage',
    'null',
    `sp_${id}_${'A'.repeat(secret.length)}`,
    `${token}x`,
    token.toLowerCase(),
    `sp_${'A'.repeat(id.length)}_${secret}`,
  ];
  const answers = new Set<string>();
  for (const wrong of bad) {
    const answer = await post('/mcp/call', '{"tool":"trials.Trial.Who"}', wrong);
    expect(answer.status).toBe(401);
    answers.add(mask(await answer.text()));
  }
  expect(answers.size).toBe(1);
});

it('secrets are shown once and kept as hashes, and a revoked token is dead at its next call, also on an open connection', async () => {
  const { token: secret, id } = await gateway.operate('tokens.create', { account: 'leaver', scopes: ['trials:use'] });
  const driver = await ways['a WebSocket']!({ mcp: gateway.mcp, token: secret });
  expect((await driver.call('trials.Trial.Who')).kind).toBe('answered');
  expect(JSON.stringify(await gateway.operate('tokens.list'))).not.toContain(secretOf(secret));
  const files = readdirSync(gateway.folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) {
    // Some are there only until they take another's place.
    if (file.name.endsWith('.new')) continue;
    const text = readFileSync(join(file.parentPath, file.name), 'latin1');
    for (const each of [secret, token, gateway.token]) expect(text, file.name).not.toContain(secretOf(each));
  }
  expect(gateway.program.stderr()).not.toContain(secret);

  await gateway.operate('tokens.revoke', { id });
  expect(await driver.call('trials.Trial.Who')).toMatchObject({ reason: 'credential_revoked' });
  expect((await call('trials.Trial.Who', {}, secret)).end).toBe('credential_revoked');
  await driver.close();
});

it('administration takes no agent, no token in an address, and no request that a foreign page made', async () => {
  const ask = (extra: Record<string, string>, query = '') =>
    fetch(`${gateway.admin}/admin/v1/tokens.list${query}`, {
      method: 'POST',
      headers: { ...headers(), ...extra },
      body: '{}',
    });
  const { token: owner } = await gateway.operate('tokens.create', {
    account: 'boss',
    kind: 'owner',
    scopes: ['admin:*'],
  });
  const good = { Authorization: `Bearer ${owner}` };
  expect((await ask(good)).status).toBe(200);
  expect([401, 403]).toContain((await ask({ Authorization: `Bearer ${token}` })).status);
  expect((await ask({}, `?token=${owner}`)).status).toBe(401);
  expect((await fetch(at(`/mcp/tools?token=${token}`))).status).toBe(401);
  expect((await ask({ ...good, Origin: 'https://evil.example' })).status).toBe(403);
  expect((await ask({ ...good, 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
  expect((await ask({ ...good, 'Content-Type': 'text/plain' })).status).toBeGreaterThanOrEqual(400);
  const page = await fetch(gateway.admin);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page.headers.get('set-cookie')).toBeNull();
});

it('a noisy caller spends its own budget, is told when to come back, and takes nothing from others', async () => {
  const [noisy, quiet] = [await gateway.mint('noisy', ['trials:use']), await gateway.mint('quiet', ['trials:use'])];
  expect((await call('trials.Trial.Limited', {}, noisy)).end).toBe('answered');
  const refused = await post('/mcp/call', '{"tool":"trials.Trial.Limited"}', noisy);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await call('trials.Trial.Limited', {}, quiet)).end).toBe('answered');
});

it('bad input from one caller closes a tool for nobody', async () => {
  const clumsy = await gateway.mint('clumsy', ['trials:use']);
  const ends = await Promise.all(Array.from({ length: 40 }, () => call('trials.Trial.Wait', { ms: 'soon' }, clumsy)));
  expect(tally(ends)).toEqual({ invalid_input: 40 });
  for (let i = 0; i < 10; i++) await call('trials.Trial.Throw', {}, clumsy);
  expect((await call('trials.Trial.Wait', { ms: 1 })).end).toBe('answered');
  expect((await gateway.services()).map(({ state }) => state)).toEqual(['ready', 'ready']);
});

it('schemas are whole, and hold for what goes in and for what comes out', async () => {
  const { inputSchema, outputSchema } = (await listed()).find(({ name }) => name === 'inline.Order.Place');
  expect(inputSchema).toMatchObject({
    type: 'object',
    required: ['lines', 'speed'],
    properties: {
      lines: {
        type: 'array',
        items: { type: 'object', required: ['sku', 'count'], properties: { count: { type: 'integer' } } },
      },
      due: { type: 'string', format: 'date-time' },
      speed: { enum: ['slow', 'fast'] },
      notes: { type: 'object', additionalProperties: { type: 'string' } },
    },
  });
  expect(outputSchema).toMatchObject({ required: ['id', 'total'], properties: { total: { type: 'number' } } });
  const lines = [{ sku: 'a-1', count: 2 }];
  expect((await call('inline.Order.Place', { lines, speed: 'slow' })).result).toEqual({ id: 'o-1', total: 1 });
  for (const wrong of [
    { lines },
    { lines: [], speed: 'slow' },
    { lines: [{ sku: 1, count: 2 }], speed: 'slow' },
    { lines, speed: 'now' },
  ]) {
    expect((await call('inline.Order.Place', wrong)).end).toBe('invalid_input');
  }
  // The service means to answer with a word where its own schema says number.
  expect(['upstream_failed', 'invalid_output']).toContain(
    (await call('inline.Order.Place', { lines, speed: 'fast' })).end,
  );
});

it('what a tool says of itself does not depend on its source being there', async () => {
  const tool = (await listed()).find(({ name }) => name === 'inline.Order.Place');
  expect(tool.description).toContain('Use it once the customer agreed.');
  expect(JSON.stringify(tool.inputSchema)).toContain('Stock number.');
  expect(JSON.stringify(tool)).toContain('a-1');
});

it('arguments reach the real service whole, and its answer the caller, whatever the client', async () => {
  const input = { text: 'A "quoted" line,\nand \u{1F511} and \\u0000-like text', tags: ['one', ''] };
  for (const [name, connectWay] of Object.entries(ways)) {
    const way = await connectWay({ mcp: gateway.mcp, token });
    expect(await way.call('trials.Trial.Echo', input), name).toMatchObject({ kind: 'answered', result: input });
    await way.close();
  }
});

it('slow, endless and numerous requests are cut off, and others are served meanwhile', async () => {
  const load = startLoad({ mcp: gateway.mcp, token, tool: 'trials.Trial.Who' }, 1);
  const cutOff = (text: string) => {
    const socket = connect(Number(gateway.mcp.port), '127.0.0.1', () => socket.write(text));
    socket.on('error', () => undefined).resume();
    return new Promise((resolve) => socket.once('close', resolve));
  };
  const head = `POST /mcp/call HTTP/1.1\r\nHost: ${gateway.mcp.host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  const big = JSON.stringify({ tool: 'trials.Trial.Echo', input: { text: 'x'.repeat(70_000) } });
  expect((await post('/mcp/call', big, token)).status).toBe(413);
  // Neither half a head nor half a body keeps a connection, nor do more connections than there is room for.
  const halves = [cutOff(head.slice(0, 40)), cutOff(`${head}Content-Length: 100\r\n\r\n{`)];
  const crowd = Array.from({ length: 80 }, () => cutOff(head.slice(0, 20)));
  await Promise.all([...halves, ...crowd]);
  await until(async () => (await call('trials.Trial.Who')).end === 'answered');
  expect(tally(await load.stop())).toEqual({ answered: load.fates.length });
});

it('errors are typed, have the status that fits, and tell nothing of the inside', async () => {
  const cases: readonly [tool: string, input: object, status: number, reason: string][] = [
    ['trials.Trial.Throw', {}, 502, 'upstream_failed'],
    ['trials.Trial.Slow', {}, 504, 'upstream_timeout'],
    ['trials.Trial.Fail', {}, 404, 'tool_error'],
    ['trials.Trial.Nothing', {}, 404, 'unknown_tool'],
    ['trials.Trial.Wait', { ms: 'soon' }, 400, 'invalid_input'],
    ['trials.Trial.Admin', {}, 403, 'insufficient_scope'],
  ];
  for (const [tool, input, status, reason] of cases) {
    const answer = await post('/mcp/call', JSON.stringify({ tool, input }), token);
    const text = await answer.text();
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/json']);
    expect(JSON.parse(text).error).toMatchObject({
      reason,
      code: expect.any(String),
      message: expect.any(String),
      trace_id: expect.any(String),
    });
    expect(text).not.toMatch(/hunter2|\/srv|\.ts|node:/);
  }
});

it('the list of tools has one order, so that what caches it finds it unchanged', async () => {
  const texts = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const driver = rest({ url: gateway.mcp, token });
    const { bytes } = await driver.list();
    texts.add(bytes.slice(bytes.indexOf('{')));
    await driver.close();
  }
  expect(texts.size).toBe(1);
  const names = (await listed()).map(({ name }) => name as string);
  expect(names).toEqual([...names].sort());
});
