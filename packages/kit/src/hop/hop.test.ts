import { hash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { callFrame, maxLineLength, resultFrame } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type Service, service, ToolError } from '../index.ts';
import { createHopFolder, dialAsGateway, type GatewayEnd, listenAsGateway } from './gateway.fixture.ts';

const log = pino({ level: 'silent' });
let hop: ReturnType<typeof createHopFolder>;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  hop = createHopFolder('tasks');
  for (const name of ['SALLYPORT_HOP', 'SALLYPORT_LISTEN', 'SALLYPORT_CREDENTIAL_FILE']) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  hop.remove();
  vi.unstubAllEnvs();
});

function createTasks(): Service {
  const tasks = service('tasks', { version: '1.2.0', owner: 'team-tasks', concurrency: 4, log });
  const input = z.object({ title: z.string().min(1) });
  const output = z.object({ id: z.string() });
  tasks.tool('TaskService.Create', { description: 'Creates.', input, output }, ({ title }) => {
    if (title === 'taken') throw new ToolError('already_exists', 'There is one already.');
    if (title === 'crash') throw new Error('password=hunter2');
    return { id: `id of ${title}` };
  });
  tasks.tool('TaskService.Who', { description: 'Tells.', input: z.object({}) }, (_, ctx) => ({
    subject: ctx.principal.subject,
    metadata: ctx.metadata,
    trace: ctx.trace,
  }));
  tasks.tool('TaskService.Wait', { description: 'Waits.', input: z.object({}) }, async (_, ctx) => {
    ctx.progress({ progress: 1, total: 2, message: 'half' });
    await new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
  });
  tasks.tool('TaskService.Ask', { description: 'Asks another.', input: z.object({}) }, async (_, ctx) => ({
    answer: await ctx.call('users.UserService.Get', { id: '7' }, { output: z.object({ name: z.string() }) }),
  }));
  tasks.tool(
    'TaskService.Guarded',
    {
      ...{ description: 'Is careful.', input: z.object({ n: z.number() }), scopes: ['tasks:write'] },
      policy: { bounds: { '/n': { maximum: 2 } } },
      limit: { rate: 0.001 },
    },
    (_, { statement }) => {
      if (statement === undefined) return {};
      const { by, audience, target, method, callId, trace, argumentsDigest, expiresAt } = statement;
      return { by, audience, target, method, callId, trace, argumentsDigest, expires: expiresAt.constructor.name };
    },
  );
  return tasks;
}

const sha256 = (text: string): string => hash('sha256', text, 'base64url');
const claims = {
  ...{ tool: 'TaskService.Create', call: 'c', audience: 'tasks', timeoutMs: 5_000, transport: 'http' },
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  principal: { subject: 'alice', client: 'agent', kind: 'agent', scopes: ['x:y'], attributes: {} },
} as const;

async function connectTasks(): Promise<{ tasks: Service; gateway: GatewayEnd }> {
  const gateway = await listenAsGateway(hop.socket, hop.credential);
  closing.push(() => gateway.close());
  const tasks = createTasks();
  const { socket, credentialFile } = hop;
  const listening = await tasks.listen({ hop: `unix:${socket}`, credentialFile, signals: false });
  expect(listening.connected).toBe(true);
  closing.push(() => tasks.close());
  return { tasks, gateway: gateway.ends[0]! };
}

function textOf(frame: any): any {
  return JSON.parse(frame.resultText);
}

test('a service announces its manifest and answers calls', async () => {
  const { gateway, tasks } = await connectTasks();
  expect((await gateway.announcement).manifest).toEqual(JSON.parse(JSON.stringify(await tasks.manifest())));
  expect(textOf(await gateway.call('TaskService.Create', { title: 'tea' }))).toEqual({
    content: [{ type: 'text', text: '{"id":"id of tea"}' }],
    structuredContent: { id: 'id of tea' },
  });
  const call = 'c0ffee00-0000-4000-8000-000000000000';
  expect(textOf(await gateway.call('TaskService.Who', {}, { call })).structuredContent).toEqual({
    subject: 'alice',
    metadata: { 'Mcp-Trace-Id': call, 'Mcp-Tool-Name': 'tasks.TaskService.Who', 'Mcp-Account-Id': 'alice' },
    trace: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  });
});

test('every way to fail has its answer, and none leaks', async () => {
  const { gateway } = await connectTasks();
  const taken = textOf(await gateway.call('TaskService.Create', { title: 'taken' }));
  expect(taken.isError).toBe(true);
  expect(taken._meta['dev.sallyport/error']).toEqual({ code: 'already_exists', message: 'There is one already.' });
  const invalid = textOf(await gateway.call('TaskService.Create', { title: 7 }));
  expect(invalid._meta['dev.sallyport/error'].code).toBe('invalid_argument');
  expect(invalid.content[0].text).toContain('/title: ');
  const crashed = await gateway.call('TaskService.Create', { title: 'crash' });
  expect(crashed).toMatchObject({
    kind: 'error',
    error: { message: 'The tool failed.', data: { reason: 'internal' } },
  });
  const reasons = await Promise.all([
    gateway.call('TaskService.Nope', {}),
    gateway.call('TaskService.Wait', {}, { timeoutMs: 10 }),
    gateway.call('TaskService.Wait', {}, { timeoutMs: 0 }),
  ]);
  expect(reasons.map((frame: any) => frame.error.data.reason)).toEqual(['unknown_tool', 'expired', 'expired']);
});

test('a replayed or lower number and a wrong audience are refused, and the next call is served', async () => {
  const { gateway } = await connectTasks();
  await gateway.call('TaskService.Who', {}, { seq: 10 });
  const refusals = [
    [{ seq: 10 }, 'replayed'],
    [{ seq: 9 }, 'replayed'],
    [{ seq: 11, audience: 'users' }, 'misdirected'],
    [{ seq: 12, principal: {} as any }, 'bad_frame'],
  ] as const;
  for (const [claims, reason] of refusals) {
    const refused: any = await gateway.call('TaskService.Who', {}, claims);
    expect(refused.error.data.reason).toBe(reason);
  }
  expect((await gateway.call('TaskService.Who', {}, { seq: 13 })).kind).toBe('result');
});

test('arguments that are not those of the claims do not run, wherever else they stand', async () => {
  const { gateway } = await connectTasks();
  const line = callFrame({ ...claims, seq: 1 }, '{"title":"tea"}', sha256);
  const send = async (seq: number, changed: string): Promise<any> => {
    gateway.send(changed.replace('"id":1,', `"id":${seq},`).replace('"seq":1,', `"seq":${seq},`));
    return gateway.next((frame) => 'id' in frame && frame.id === seq && frame.kind !== 'request');
  };
  const changes: readonly ((text: string) => string)[] = [
    (text) => text.replace('"tea"', '"tee"'),
    (text) => text.replace('"tea"}', '"tea" }'),
    (text) => text.replace('{"title":"tea"}}', '{"title":"tee"},"arguments":{"title":"tea"}}'),
    (text) => text.replace('"arguments":{"title":"tea"}', '"arguments":{"title":"tea"},"arguments":{"title":"tee"}'),
    (text) => text.replace(/"digest":"[^"]+"/, `"digest":"${sha256('{"title":"tee"}')}"`),
    (text) => text.replace(/"size":\d+/, '"size":2'),
    (text) => text.replace(/"size":\d+/, '"size":-1'),
  ];
  let seq = 1;
  for (const change of changes.toSpliced(2, 1)) {
    expect((await send(seq, change(line))).error.data.reason).toBe('altered');
    seq += 1;
  }
  // What stands last is what is parsed and what is proved: here that is what was claimed.
  expect(textOf(await send(seq, changes[2]!(line))).structuredContent).toEqual({ id: 'id of tea' });
});

test('the gateway’s word for a caller is not enough where the tool asks for a scope, a policy or less often', async () => {
  const { gateway } = await connectTasks();
  const reasonOf = async (tool: string, args: object, more: object = {}): Promise<unknown> => {
    const frame: any = await gateway.call(tool, args, more);
    return frame.error?.data.reason ?? textOf(frame).structuredContent;
  };
  expect(await reasonOf('TaskService.Guarded', { n: 1 })).toBe('scope_missing');
  const principal = { ...claims.principal, scopes: ['tasks:*'] };
  expect(await reasonOf('TaskService.Guarded', { n: 3 }, { principal })).toBe('forbidden');
  expect(
    await reasonOf('TaskService.Guarded', { n: 1 }, { principal, call: 'c1', traceparent: claims.traceparent }),
  ).toEqual({
    ...{ by: 'hop', audience: 'tasks', target: 'TaskService.Guarded', method: 'tools/call', callId: 'c1' },
    ...{ trace: claims.traceparent, argumentsDigest: sha256('{"n":1}'), expires: 'Date' },
  });
  expect(await reasonOf('TaskService.Guarded', { n: 1 }, { principal })).toBe('limited');
  expect(
    await reasonOf(
      'TaskService.Guarded',
      { n: 1 },
      { needs: ['x:y'], principal: { ...claims.principal, subject: 'bob' } },
    ),
  ).toEqual(expect.objectContaining({ by: 'hop' }));
});

test('progress is told while a call runs, and cancel ends it', async () => {
  const { gateway } = await connectTasks();
  void gateway.call('TaskService.Wait', {}, { progress: true });
  const progress = await gateway.next((frame) => frame.kind === 'notification' && frame.method === 'progress');
  expect(progress).toMatchObject({ params: { id: 1, progress: 1, total: 2, message: 'half' } });
  const more = [2, 3, 4].map(() => gateway.call('TaskService.Wait', {}));
  const overloaded: any = await gateway.call('TaskService.Who', {});
  expect(overloaded.error.data.reason).toBe('overloaded');
  for (const id of [1, 2, 3, 4]) gateway.send(`{"jsonrpc":"2.0","method":"cancel","params":{"id":${id}}}\n`);
  await vi.waitFor(async () => expect((await gateway.call('TaskService.Who', {})).kind).toBe('result'), 15_000);
  expect(more).toHaveLength(3);
});

test('a call to another service goes through the gateway with its parent, trace and time', async () => {
  const { gateway } = await connectTasks();
  gateway.onInvoke = (id, params) => {
    expect(params).toMatchObject({
      tool: 'users.UserService.Get',
      parent: 'the-parent',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      arguments: { id: '7' },
    });
    expect(params.timeoutMs).toBeLessThanOrEqual(4_000);
    gateway.send(resultFrame(id, '{"content":[],"structuredContent":{"name":"Ada"}}'));
  };
  const answer = await gateway.call('TaskService.Ask', {}, { call: 'the-parent', timeoutMs: 4_000 });
  expect(textOf(answer).structuredContent).toEqual({ answer: { name: 'Ada' } });
  gateway.onInvoke = (id) => {
    gateway.send(
      `{"jsonrpc":"2.0","id":"${id}","error":{"code":403,"message":"No.","data":{"code":"permission_denied"}}}\n`,
    );
  };
  const refused: any = await gateway.call('TaskService.Ask', {});
  expect(refused.error.message).toBe('The tool failed.');
});

test('a call to another service that is too slow or too large ends as a CallError, and the connection lives', async () => {
  const gateway = await listenAsGateway(hop.socket, hop.credential);
  closing.push(() => gateway.close());
  const tasks = createTasks();
  closing.push(() => tasks.close());
  const { call } = await tasks.listen({
    hop: `unix:${hop.socket}`,
    credentialFile: hop.credentialFile,
    signals: false,
  });
  await expect(call('users.A.B', {}, { timeoutMs: 5.5 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
  const large = { text: 'x'.repeat(maxLineLength) };
  await expect(call('users.A.B', large)).rejects.toMatchObject({ reason: 'payload_too_large' });
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  await expect(call('users.A.B', circular)).rejects.toThrow(TypeError);
  const waiting = call('users.A.B', {});
  const [end] = gateway.ends;
  const invoke = await end!.next((frame) => frame.kind === 'request' && frame.id === 's4');
  expect(invoke).not.toHaveProperty('params.parent');
  end!.socket.destroy();
  await expect(waiting).rejects.toMatchObject({ code: 'unavailable', reason: 'no_gateway' });
});

test('cancelling a call cancels what it called', async () => {
  const { gateway } = await connectTasks();
  void gateway.call('TaskService.Ask', {});
  await gateway.next((frame) => frame.kind === 'request' && frame.method === 'invoke');
  gateway.send('{"jsonrpc":"2.0","method":"cancel","params":{"id":1}}\n');
  const cancel = await gateway.next((frame) => frame.kind === 'notification' && frame.method === 'cancel');
  expect(cancel).toMatchObject({ params: { id: 's1' } });
});

test('draining says so, takes what crossed that notice, refuses what comes later, and closes when all is done', async () => {
  const { gateway, tasks } = await connectTasks();
  gateway.answersPings = false;
  const running = gateway.call('TaskService.Wait', {}, { timeoutMs: 400 });
  await gateway.call('TaskService.Who', {});
  const closed = tasks.close();
  await gateway.next((frame) => frame.kind === 'notification' && frame.method === 'draining');
  const ping: any = await gateway.next((frame) => frame.kind === 'request' && frame.method === 'ping');
  // The gateway may have sent this one before it read the notice.
  expect((await gateway.call('TaskService.Who', {})).kind).toBe('result');
  gateway.send(resultFrame(ping.id, '{}'));
  await vi.waitFor(async () => {
    const late: any = await gateway.call('TaskService.Who', {});
    expect(late.error?.data.reason).toBe('draining');
  }, 15_000);
  expect(((await running) as any).error.data.reason).toBe('expired');
  await closed;
  await gateway.closed;
});

test('a lost connection is made again', async () => {
  const gateway = await listenAsGateway(hop.socket, hop.credential);
  closing.push(() => gateway.close());
  const tasks = createTasks();
  closing.push(() => tasks.close());
  await tasks.listen({ hop: `unix:${hop.socket}`, credentialFile: hop.credentialFile, signals: false });
  const again = gateway.nextEnd();
  gateway.ends[0]!.socket.destroy();
  const end = await again;
  await end.announcement;
  expect((await end.call('TaskService.Who', {})).kind).toBe('result');
});

test('a service starts before its gateway does', async () => {
  const tasks = createTasks();
  closing.push(() => tasks.close());
  const listening = await tasks.listen({
    hop: `unix:${hop.socket}`,
    credentialFile: hop.credentialFile,
    signals: false,
  });
  expect(listening.connected).toBe(false);
  const gateway = await listenAsGateway(hop.socket, hop.credential);
  closing.push(() => gateway.close());
  await vi.waitFor(() => expect(listening.connected).toBe(true), 10_000);
});

test('a gateway that does not hold the key, or refuses the announcement, gets no calls served', async () => {
  const impostor = await listenAsGateway(hop.socket, { ...hop.credential, key: randomBytes(32).toString('base64url') });
  closing.push(() => impostor.close());
  const tasks = createTasks();
  closing.push(() => tasks.close());
  const listening = await tasks.listen({
    hop: `unix:${hop.socket}`,
    credentialFile: hop.credentialFile,
    signals: false,
  });
  expect(listening.connected).toBe(false);
  await impostor.ends[0]!.closed;
  await impostor.close();
  const refusing = await listenAsGateway(hop.socket, hop.credential, true);
  closing.push(() => refusing.close());
  await vi.waitFor(() => expect(refusing.ends.length).toBeGreaterThan(0), 10_000);
  await refusing.ends[0]!.closed;
  expect(listening.connected).toBe(false);
});

test('a line over the limit and a line that is no frame end the connection, not the service', async () => {
  const { gateway } = await connectTasks();
  gateway.send('x'.repeat(maxLineLength + 2));
  await gateway.closed;
  const second = createHopFolder('tasks');
  closing.push(second.remove);
  const next = await listenAsGateway(second.socket, second.credential);
  closing.push(() => next.close());
  const tasks = createTasks();
  closing.push(() => tasks.close());
  await tasks.listen({ hop: `unix:${second.socket}`, credentialFile: second.credentialFile, signals: false });
  const again = next.nextEnd();
  next.ends[0]!.send('{"jsonrpc":"2.0",\n');
  await next.ends[0]!.closed;
  expect((await (await again).announcement).instance).toBeTypeOf('string');
});

test('a service that listens makes a private socket, proves itself, and refuses strangers', async () => {
  const tasks = createTasks();
  closing.push(() => tasks.close());
  await tasks.listen({ listen: `unix:${hop.socket}`, credentialFile: hop.credentialFile, signals: false });
  expect(statSync(hop.socket).mode & 0o777).toBe(0o600);
  const gateway = dialAsGateway(hop.socket, hop.credential);
  closing.push(() => gateway.socket.destroy());
  expect((await gateway.announcement).manifest.service).toBe('tasks');
  expect((await gateway.call('TaskService.Who', {})).kind).toBe('result');
  const stranger = dialAsGateway(hop.socket, { ...hop.credential, key: randomBytes(32).toString('base64url') });
  await stranger.closed;
  const chatty = connect(hop.socket).on('error', () => undefined);
  chatty.write('x'.repeat(8_000));
  await new Promise((resolve) => chatty.once('close', resolve).resume());
  const silent = connect(hop.socket);
  await new Promise((resolve) => silent.once('close', resolve).resume());
  expect((await gateway.call('TaskService.Who', {})).kind).toBe('result');
});

test('a socket that a dead process left is replaced, one in use is not', async () => {
  const first = createTasks();
  closing.push(() => first.close());
  const options = { listen: `unix:${hop.socket}`, credentialFile: hop.credentialFile, signals: false };
  await first.listen(options);
  await expect(createTasks().listen(options)).rejects.toThrow('EADDRINUSE');
  expect(existsSync(hop.socket)).toBe(true);
});

test('a credential that others can read, of another service or broken is refused', async () => {
  const options = { hop: `unix:${hop.socket}`, credentialFile: hop.credentialFile, signals: false };
  chmodSync(hop.credentialFile, 0o640);
  await expect(createTasks().listen(options)).rejects.toThrow('can be read by others');
  chmodSync(hop.credentialFile, 0o600);
  writeFileSync(hop.credentialFile, JSON.stringify({ ...hop.credential, service: 'users' }));
  await expect(createTasks().listen(options)).rejects.toThrow('is not for the service tasks');
  for (const text of ['no', '[]', '{"id":"a","service":"tasks","key":"c2hvcnQ"}']) {
    writeFileSync(hop.credentialFile, text);
    await expect(createTasks().listen(options)).rejects.toThrow('is no credential');
  }
  await expect(createTasks().listen({ signals: false })).rejects.toThrow('nowhere to listen');
});
