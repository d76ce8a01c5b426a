import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, writeConfig } from '../e2e/support/gateway.ts';
import { endAll, temporaryFolder, until } from '../e2e/support/program.ts';
import { connectFirst, connectSecond, type MatrixClient } from '../matrix/clients.ts';
import { runTask } from '../matrix/tasks.ts';
import { call, deskService, details, exchange, modern, startDesk, written } from './support.ts';

type Desk = Awaited<ReturnType<typeof startDesk>>;
let desk: Desk;
let gateway: Desk['gateway'];
let token: string;

const write = 'desk.Desk.Write';
const all = 'desk.*';
const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

beforeAll(async () => {
  desk = await startDesk('', ', scopes: [desk:use, desk:admin]');
  gateway = desk.gateway;
  token = await gateway.mint('dana', ['desk:use'], 'person');
}, 60_000);
afterAll(endAll);

const noted = (what: string) => desk.notes().filter((note) => note === what).length;
const leftOf = async (intent: string): Promise<number> =>
  (await gateway.operate('intents.trace', { id: intent })).intent.calls.left;

describe('every way in holds to the intent', () => {
  const clients: readonly (readonly [string, (secret: string) => Promise<MatrixClient>])[] = [
    ['of MCP 2025-11-25', (secret) => connectFirst(gateway.mcp, secret)],
    ['of MCP 2026-07-28', (secret) => connectSecond(gateway.mcp, secret, { pin: '2026-07-28' })],
  ];
  it.each(clients)('a client %s sees and calls what it was made for', async (_, connect) => {
    const tools = [write, 'desk.prompts/*', 'desk.resources/*'];
    const made = await exchange(gateway, token, details({ tools, calls: 3 }));
    const client = await connect(made.token);
    expect(await client.tools()).toEqual([write]);
    expect(await client.call(write, { text: 'm' })).toContain('m');
    expect(await client.prompt('desk.memo', { to: 'ada' })).toContain('ada');
    expect(await client.read('desk+desk://drawer')).toContain('pens');
    await expect(client.call(write, {})).rejects.toThrow('All calls that the token was given for were made.');
    await expect(client.call('desk.Desk.Erase', {})).rejects.toThrow('This is not what the token was given for.');
    await client.close();
    expect(await leftOf(made.intent)).toBe(0);
  });

  it('prompts, resources and completions that it was not made for are refused, and listed nowhere', async () => {
    const made = await exchange(gateway, token, details());
    const refusal = (method: string, params: object) => modern(gateway.mcp, made.token, method, { ...params });
    const completion = { ref: { type: 'ref/prompt', name: 'desk.memo' }, argument: { name: 'to', value: '' } };
    for (const [method, params] of [
      ['prompts/get', { name: 'desk.memo', arguments: { to: 'x' } }],
      ['resources/read', { uri: 'desk+desk://drawer' }],
      ['completion/complete', completion],
    ] as const) {
      const { error } = await refusal(method, params);
      expect(error?.data, method).toMatchObject({ reason: 'intent_exceeded', intent: made.intent });
    }
    expect((await refusal('prompts/list', {})).result?.prompts ?? []).toEqual([]);
    expect((await refusal('resources/list', {})).result?.resources ?? []).toEqual([]);
    expect(await leftOf(made.intent)).toBe(1);
  });

  it('WebSocket', async () => {
    const made = await exchange(gateway, token, details());
    const url = new URL('/mcp/ws', gateway.mcp.href.replace('http', 'ws'));
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${made.token}` } } as never);
    const answer = (id: number, name: string) =>
      new Promise<any>((resolve) => {
        socket.addEventListener('message', ({ data }) => {
          const message = JSON.parse(String(data));
          if (message.id === id) resolve(message);
        });
        const params = { name, arguments: { text: 'ws' } };
        socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }));
      });
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    expect((await answer(1, write)).result).toBeDefined();
    expect((await answer(2, write)).error.data).toMatchObject({ reason: 'intent_spent', intent: made.intent });
    expect((await answer(3, 'desk.Desk.Ask')).error.data).toMatchObject({ reason: 'intent_exceeded' });
    socket.close();
  });
});

describe('a call counts once', () => {
  it('also when its service asked something and it is gone on with', async () => {
    const made = await exchange(gateway, token, details({ tools: ['desk.Desk.Ask'] }));
    const client = await connectSecond(gateway.mcp, made.token, { pin: '2026-07-28' });
    expect(await client.call('desk.Desk.Ask')).toContain('accept');
    await client.close();
    expect(await leftOf(made.intent)).toBe(0);
    expect(await call(gateway, made.token, 'desk.Desk.Ask')).toMatchObject({ came: 'intent_spent' });
  });

  it('and what was asked can be answered once, and not be used for another call', async () => {
    const made = await exchange(gateway, token, details({ tools: [all] }));
    const name = 'desk.Desk.Ask';
    const asked = await modern(gateway.mcp, made.token, 'tools/call', { name, arguments: {} });
    expect(asked.result.resultType).toBe('input_required');
    const { requestState, inputRequests } = asked.result;
    const [key = ''] = Object.keys(inputRequests);
    const retry = { inputResponses: { [key]: { action: 'accept', content: { ok: true } } }, requestState };
    const goOn = (params: object) => modern(gateway.mcp, made.token, 'tools/call', { ...retry, ...params });
    const before = noted('x');
    expect((await goOn({ name: write, arguments: {} })).error).toBeDefined();
    expect((await goOn({ name, arguments: {}, requestState: 'made-up' })).error).toBeDefined();
    expect((await goOn({ name, arguments: {} })).result.resultType).not.toBe('input_required');
    expect((await goOn({ name, arguments: {} })).error.data).toMatchObject({ reason: 'intent_spent' });
    expect(noted('x')).toBe(before);
    expect(await leftOf(made.intent)).toBe(0);
  });

  it('also when it goes on in the background and is asked about again and again', async () => {
    const name = 'desk.Desk.Background';
    const [made, other] = [
      await exchange(gateway, token, details({ tools: [name] })),
      await exchange(gateway, token, details({ tools: [all] })),
    ];
    const caller = { url: gateway.mcp, token: made.token, era: 'modern' } as const;
    expect(await runTask(caller, name, {})).toEqual({ wasTask: true, text: '{"done":"background"}' });
    await expect(runTask(caller, name, {})).rejects.toThrow('intent_spent');
    const { result } = await modern(gateway.mcp, other.token, 'tools/call', { name, arguments: {} }, tasks);
    expect(result.resultType).toBe('task');
    const asked = await modern(gateway.mcp, made.token, 'tasks/get', { taskId: result.taskId }, tasks);
    expect(asked.error.data).toMatchObject({ reason: 'unknown_task' });
  });

  it('also when it was refused, where the configuration says so', async () => {
    const strict = await startDesk('auth: { intents: { countRefused: true, maxCalls: 3 } }');
    const person = await strict.gateway.mint('dana', ['desk:use'], 'person');
    const made = await exchange(strict.gateway, person, details({ calls: 3 }));
    expect(await call(strict.gateway, made.token, 'desk.Desk.Erase')).toMatchObject({ came: 'intent_exceeded' });
    expect(await call(strict.gateway, made.token, write, { text: 7 })).toMatchObject({ came: 'invalid_input' });
    expect(await call(strict.gateway, made.token, write)).toMatchObject({ came: 'answered' });
    expect(await call(strict.gateway, made.token, write)).toMatchObject({ came: 'intent_spent' });
  }, 60_000);

  it('not at all when its service was not there', async () => {
    const made = await exchange(gateway, token, details({ tools: ['away.*', write] }));
    expect((await call(gateway, made.token, 'away.Tool')).status).toBe(404);
    expect(await leftOf(made.intent)).toBe(1);
  });

  it('fifty at once, through two gateways that have the same state: exactly one passes', async () => {
    const folder = temporaryFolder();
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    symlinkSync(join(gateway.data, 'state.db'), join(data, 'state.db'));
    const notes = join(folder, 'notes');
    const limits = 'limits: { peer: { rate: 10000, burst: 10000 }, presets: { write: { rate: 1000, burst: 1000 } } }';
    const key = `masterKeyFile: ${join(desk.folder, 'data-keys/master.key')}`;
    const config = writeConfig(folder, `${key}\nservices:\n${deskService(notes)}\n${limits}\n`);
    const other = await startGateway('run', config);
    const before = noted('race');
    const made = await exchange(gateway, token, details());
    const calls = Array.from({ length: 50 }, (_, at) =>
      call(at % 2 ? gateway : other, made.token, write, { text: 'race' }),
    );
    const came = (await Promise.all(calls)).map((one) => one.came);
    expect(came.filter((one) => one === 'answered')).toHaveLength(1);
    expect(came.filter((one) => one === 'intent_spent')).toHaveLength(49);
    expect(noted('race') - before + written(notes).length).toBe(1);
    await other.operate('intents.revoke', { id: made.intent });
    expect(await call(gateway, made.token, write)).toMatchObject({ came: 'credential_revoked' });
  }, 60_000);
});

describe('services that serve a call under an intent', () => {
  const relay = async (more: object, tool: string) => {
    const made = await exchange(gateway, token, details({ tools: ['desk.Desk.Relay'], ...more }));
    const { result } = await call(gateway, made.token, 'desk.Desk.Relay', { tool });
    return { ...made, result };
  };

  it('call what they need by their own scopes; it is under the intent, and costs none of its calls', async () => {
    const { intent, result } = await relay({}, write);
    expect(result).toEqual({ relayed: true });
    const records = await gateway.records({ intent });
    expect(records).toMatchObject([
      { tool: write, actor: { subject: 'service:desk' }, intent: { id: intent } },
      { tool: 'desk.Desk.Relay', intent: { id: intent } },
    ]);
  });

  it('are held to what the intent lets them call, where it says so', async () => {
    const inside = await relay({ serving: ['desk.Desk.Wri*'] }, write);
    expect(inside.result).toEqual({ relayed: true });
    const outside = await relay({ serving: ['desk.Desk.Wri*'] }, 'desk.Desk.Erase');
    expect(outside.result).toEqual({ relayed: false, reason: 'intent_exceeded' });
    const nothing = await relay({ serving: [] }, write);
    expect(nothing.result).toEqual({ relayed: false, reason: 'intent_exceeded' });
  });
});

describe('the end of an intent', () => {
  it.concurrent('cuts off a call that is running', async () => {
    const made = await exchange(gateway, token, details({ tools: ['desk.Desk.Wait'], expires_in: 2 }));
    expect(await call(gateway, made.token, 'desk.Desk.Wait')).toMatchObject({ came: 'upstream_timeout' });
    expect(await call(gateway, made.token, 'desk.Desk.Wait')).toMatchObject({ came: 'credential_expired' });
    await until(() => noted('cut off') === 1, 'its service heard of it');
  });

  it.concurrent('ends what goes on in the background for it', async () => {
    const name = 'desk.Desk.Endless';
    const made = await exchange(gateway, token, details({ tools: [name], expires_in: 2 }));
    const { result } = await modern(gateway.mcp, made.token, 'tools/call', { name, arguments: {} }, tasks);
    expect(result.resultType).toBe('task');
    expect(noted('ended')).toBe(0);
    await until(() => noted('ended') === 1, 'the task was ended');
  });

  it('is not put off by a restart, and what is left is what was left', async () => {
    const mine = await startDesk();
    const person = await mine.gateway.mint('dana', ['desk:use'], 'person');
    const made = await exchange(mine.gateway, person, details({ calls: 2 }));
    expect(await call(mine.gateway, made.token, write)).toMatchObject({ status: 200 });
    mine.gateway.program.kill('SIGKILL');
    await mine.gateway.program.ended;
    const again = await startGateway('run', mine.config);
    expect(await call(again, made.token, write)).toMatchObject({ status: 200 });
    expect(await call(again, made.token, write)).toMatchObject({ came: 'intent_spent' });
  }, 60_000);
});
