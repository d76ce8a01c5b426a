import { userInfo } from 'node:os';
import { adminCall, dataPaths } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { type Driver, httpLegacy, httpModern, httpSession, rest, ws } from '@sallyport/testkit';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { cli } from '../../packages/cli/src/cli.fixture.ts';
import { openState } from '../../packages/gateway/src/store/index.ts';
import { details, exchange } from '../intents/support.ts';
import { type Bank, openBank } from './bank.ts';

let bank: Bank;
const drivers: Driver[] = [];
beforeAll(async () => {
  bank = await openBank({ tools: { 'bank.Bank.Hold': { task: true } } });
});
afterAll(async () => {
  for (const driver of drivers) await driver.close();
  await bank.close();
});

const balance = 'bank.Bank.Balance';
const hold = 'bank.Bank.Hold';
const wipe = 'bank.Bank.Wipe';

function as(token: string, face: typeof httpModern = httpModern): Driver {
  const driver = face({ url: bank.url, token });
  drivers.push(driver);
  return driver;
}

async function contain(kind: string, value: string): Promise<string> {
  return String((await bank.operate('containment.contain', { kind, value, reason: 'test' })).id);
}

const restore = (id: string): Promise<JsonObject> => bank.operate('containment.restore', { id });

const eventually = (holds: () => unknown) => vi.waitFor(holds, { timeout: 5_000, interval: 10 });

it('a poisoned agent is contained in mid-call: all its fifty calls end, none is answered, each has one record', async () => {
  const [poisoned, fair] = [await bank.mint('poisoned'), await bank.mint('fair')];
  const faces = [httpModern, httpLegacy, rest, ws].map((face) => as(poisoned, face));
  const other = as(fair);
  const before = bank.records.length;
  const calls = Array.from({ length: 50 }, (_, i) => faces[i % 4]?.call(hold, { id: `p-${i}` }));
  const innocent = other.call(hold, { id: 'innocent' });
  await eventually(() => expect(bank.held.size).toBe(51));

  const id = await contain('agent', 'poisoned');
  const ends = await Promise.all(calls);
  expect(new Set(ends.map((end) => `${end?.kind} ${end?.reason}`))).toEqual(new Set(['refused contained']));

  // The bank answers after all; nobody hears it.
  bank.release();
  expect(await innocent).toMatchObject({ kind: 'answered', result: { late: 'innocent' } });
  const records = bank.records.slice(before).filter(({ subject, tool }) => subject === 'poisoned' && tool === hold);
  expect(records).toHaveLength(50);
  for (const record of records) {
    expect(record).toMatchObject({ outcome: 'refused', reason: 'contained', stage: 'dispatch', tool: hold });
    expect(record.outputText).toBeUndefined();
  }

  const [face] = faces;
  expect(await face?.call(balance)).toMatchObject({ kind: 'refused', reason: 'contained' });
  expect(await face?.list()).toMatchObject({ result: [] });
  expect(await face?.call('bank.Bank.Nothing')).toMatchObject({ reason: 'unknown_tool' });
  await restore(id);
  expect(await face?.call(balance)).toMatchObject({ kind: 'answered' });
});

it.each([
  ['principal', 'kim', true, true],
  ['principal', 'other', false, false],
  ['account', '/kim', true, true],
  ['client', 'token:kim', true, true],
  ['agent', 'kim', true, true],
  ['agent-class', 'kind:agent', true, true],
  ['agent-class', 'agent:k*', true, true],
  ['agent-class', 'kind:person', false, false],
  ['tool', 'bank.*', true, true],
  ['tool', wipe, false, true],
  ['upstream', 'bank', true, true],
  ['class', 'destructive@kind:agent', false, true],
  ['class', 'tool:*.Balance@agent:k*', true, false],
  ['class', 'destructive@kind:person', false, false],
])('%s %s blocks looking: %s, and wiping: %s', async (kind, value, looking, wiping) => {
  const kim = as(await bank.mint('kim'));
  const id = await contain(kind, value);
  const reasons = [(await kim.call(balance)).reason, (await kim.call(wipe)).reason];
  const names = (await kim.list()).result as readonly string[];
  await restore(id);
  expect(reasons).toEqual([looking, wiping].map((is) => (is ? 'contained' : undefined)));
  expect([balance, wipe].map((tool) => !names.includes(tool))).toEqual([looking, wiping]);
});

it('what another process contains is contained here soon, and what it restores goes on', async () => {
  const agent = as(await bank.mint('elsewhere'));
  const state = await openState({ path: dataPaths(bank.data).state, nowMs: Date.now });
  const id = 'ctn_0123456789abcdef';
  await state.containments.add({ id, kind: 'principal', value: 'elsewhere', by: 'test', atMs: Date.now() });
  await vi.waitFor(async () => expect((await agent.call(balance)).reason).toBe('contained'), { timeout: 5_000 });
  await state.containments.lift(id, { by: 'test', atMs: Date.now() });
  await vi.waitFor(async () => expect((await agent.call(balance)).kind).toBe('answered'), { timeout: 5_000 });
  await state.close();
});

it('a stream that listens ends, and another cannot be opened', async () => {
  const token = await bank.mint('listener');
  const opened = await listenTo(token);
  const id = await contain('principal', 'listener');
  // Resolves when the gateway ends the stream.
  await opened.text();
  expect((await listenTo(token)).status).toBe(403);
  await restore(id);
});

async function listenTo(token: string): Promise<Response> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { notifications: { toolsListChanged: true }, _meta: meta };
  return fetch(bank.url, {
    method: 'POST',
    headers: {
      ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params }),
  });
}

it('a task that the gateway keeps is stopped, and tells why once it may', async () => {
  const agent = as(await bank.mint('tasker'));
  const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
  const begun = await agent.call(hold, { id: 'task' }, { capabilities });
  expect(begun.reason).toBe('task');
  const { taskId } = begun.result as { readonly taskId: string };
  const id = await contain('tool', hold);
  expect(await agent.ask('tasks/get', { taskId }, { capabilities })).toMatchObject({ reason: 'contained' });
  await restore(id);
  const ended = await agent.ask('tasks/get', { taskId }, { capabilities });
  expect(ended.result).toMatchObject({ status: 'failed', error: { data: { reason: 'contained' } } });
});

it('an administrator can be contained, the owner at the socket cannot', async () => {
  const token = await bank.mint('admin-bot', ['admin:contain', 'admin:read'], 'service');
  const admin = { url: String(bank.gateway.adminUrl), token };
  const id = await contain('agent-class', 'client:token:admin-*');
  const listed = adminCall(admin, 'containment.list');
  await expect(listed).rejects.toMatchObject({ reason: 'contained' });
  const owner = await contain('principal', userInfo().username);
  expect((await bank.operate('containment.list')).containments).toHaveLength(2);
  await restore(owner);
  await restore(id);
  expect(await adminCall(admin, 'containment.list')).toMatchObject({ containments: [] });
  expect((await bank.operate('containment.list', { ended: true })).containments).toHaveLength(20);
});

it('refuses to contain what nobody can be, saying what to write, and to restore twice', async () => {
  const bad = (kind: string, value: string) => bank.operate('containment.contain', { kind, value });
  await expect(bad('class', 'destructive')).rejects.toMatchObject({
    details: { issues: [expect.stringContaining('destructive@kind:agent')] },
  });
  await expect(bad('agent-class', 'robots')).rejects.toMatchObject({ reason: 'invalid_input' });
  const id = await contain('tool', 'nothing.here');
  await restore(id);
  await expect(restore(id)).rejects.toMatchObject({ reason: 'not_found' });
});

it('the command line contains, lists and restores', async () => {
  const agent = as(await bank.mint('worker'));
  const owner = (...args: string[]) => cli(args, { cwd: bank.folder });
  const contained = await owner('kill', 'agent', 'worker', '--reason', 'It went mad.', '--for', '1h');
  expect(contained).toMatchObject({ code: 0, out: expect.stringMatching(/^ctn_\w{16}\n$/) });
  expect(contained.err).toContain('agent worker is contained until 20');
  const id = contained.out.trim();
  expect((await agent.call(balance)).reason).toBe('contained');
  const listed = await owner('contain', 'list');
  expect(listed.out).toMatch(new RegExp(`${id} +agent +worker +standing .* It went mad\\.`));
  expect(await owner('restore', id)).toMatchObject({ code: 0, out: expect.stringContaining('agent worker may go on') });
  expect((await agent.call(balance)).kind).toBe('answered');
  expect(JSON.parse((await owner('contain', 'list', '--ended', '--json')).out).containments[0]).toMatchObject({
    ...{ id, state: 'lifted', reason: 'It went mad.' },
  });
  expect(await owner('contain', 'everything', 'x')).toMatchObject({
    code: 2,
    err: expect.stringContaining('agent-class'),
  });
  expect(await owner('contain', 'agent')).toMatchObject({ code: 2 });
  expect(await owner('contain', 'class', 'destructive')).toMatchObject({
    ...{ code: expect.any(Number), err: expect.stringContaining('destructive@kind:agent') },
  });
  expect(await owner('restore', 'nonsense')).toMatchObject({ code: 2 });
});

it('a question to the caller is dropped: it is told so, and its call ends', async () => {
  const asked = Promise.withResolvers<void>();
  const messages: string[] = [];
  const answer = () => {
    asked.resolve();
    return new Promise<never>(() => undefined);
  };
  const token = await bank.mint('asker');
  const client = httpSession({ url: bank.url, token, capabilities: { elicitation: {} }, answer });
  drivers.push(client);
  const call = client.call('bank.Bank.Ask', {}, { onMessage: (text) => messages.push(text) });
  await asked.promise;
  const id = await contain('principal', 'asker');
  expect(await call).toMatchObject({ kind: 'refused', reason: 'contained' });
  expect(messages.join()).toContain('notifications/cancelled');
  expect(bank.seen).not.toContain('Bank.Ask: accept');
  await restore(id);
});

it('the stream of a session of the old era ends as well, and the session goes on when it may', async () => {
  const token = await bank.mint('old-timer');
  const client = httpSession({ url: bank.url, token });
  drivers.push(client);
  const session = String(await client.session());
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream', 'mcp-session-id': session };
  const stream = await fetch(bank.url, { headers });
  expect(stream.status).toBe(200);
  const id = await contain('principal', 'old-timer');
  await stream.text();
  expect((await fetch(bank.url, { headers })).status).toBe(403);
  await restore(id);
  expect(await client.call(balance)).toMatchObject({ kind: 'answered' });
});

it('nobody gets round it by an intent: one that was made stops too, and none is made', async () => {
  const token = await bank.mint('intender');
  const gateway = { mcp: bank.url };
  const detail = details({ tools: ['bank.*'], calls: 5 });
  const narrow = as((await exchange(gateway, token, detail)).token);
  expect(await narrow.call(balance)).toMatchObject({ kind: 'answered' });
  const id = await contain('client', 'token:intender');
  await contain('agent', 'intender');
  expect(await narrow.call(balance)).toMatchObject({ reason: 'contained' });
  await expect(exchange(gateway, token, detail)).rejects.toThrow('403');
  for (const { id: each } of (await bank.operate('containment.list')).containments as { id: string }[])
    await restore(each);
  expect(id).not.toBe('');
  expect(await narrow.call(balance)).toMatchObject({ kind: 'answered' });
});

it.each([
  ['client', 'token:via'],
  ['agent', 'via'],
  ['class', 'tool:*.Hold@kind:agent'],
])('%s %s reaches what a service does meanwhile in its name', async (kind, value) => {
  const agent = as(await bank.mint('via'));
  const call = agent.call('bank.Bank.Via', { id: `inner-${kind}` });
  await eventually(() => expect(bank.held).toContain(`inner-${kind}`));
  const before = bank.records.length;
  const id = await contain(kind, value);
  await call;
  await eventually(() =>
    expect(bank.records.slice(before).some(({ origin }) => origin.transport === 'hop')).toBe(true),
  );
  expect(bank.records.slice(before).find(({ origin }) => origin.transport === 'hop')).toMatchObject({
    ...{ tool: hold, outcome: 'refused', reason: 'contained', subject: 'via' },
  });
  bank.release();
  await restore(id);
});
