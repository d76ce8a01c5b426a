// An MCP server over stdio, written without any SDK so that it can misbehave: `node raw-stdio-server.ts mode…`.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

type Message = {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: { readonly size?: number };
    readonly _meta?: object;
  };
  readonly result?: unknown;
  readonly error?: unknown;
};

const modes = new Set(process.argv.slice(2));
const seen: Message[] = [];
const waiting = new Map<unknown, (answer: Message) => void>();
/** Calls that wait until they are let go. */
const held: (() => void)[] = [];
let questions = 0;

const send = (message: object): void =>
  void process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const notify = (method: string, params: object): void => send({ method, params });
const text = (value: unknown): object => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });

function ask(method: string, params: object): Promise<Message> {
  questions += 1;
  const id = `question-${questions}`;
  send({ id, method, params });
  return new Promise((resolve) => waiting.set(id, resolve));
}

const tools: Record<string, (call: Message) => unknown> = {
  echo: ({ params }) => text(params?.arguments ?? null),
  seen: () => text(seen),
  pid: () => text(process.pid),
  env: () => text(process.env),
  crash: () => process.exit(3),
  silent: () => new Promise(() => undefined),
  hold: () => new Promise((resolve) => held.push(() => resolve(text('released')))),
  release: () => {
    for (const release of held.splice(0)) release();
    return text('ok');
  },
  huge: ({ params }) => text('x'.repeat(params?.arguments?.size ?? 0)),
  garbage: () => {
    process.stdout.write('this is no message\n\n{"half":\n[1,2]\n');
    process.stdout.write(Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]));
    return text('ok');
  },
  endless: () => {
    process.stdout.write('y'.repeat(200_000));
    process.stdout.write('\n');
    return text('ok');
  },
  flood: () => {
    for (let line = 0; line < 5_000; line++) process.stderr.write(`line ${line} of ${process.env.SECRET}\n`);
    return text('ok');
  },
  ask: async () => text(await ask('elicitation/create', { message: 'Sure?', elicitationId: 'e-1' })),
  'ask-then-crash': async () => {
    await ask('elicitation/create', { message: 'Sure?' });
    process.exit(3);
  },
  'ask-and-go': () => {
    void ask('elicitation/create', { message: 'Sure?' });
    return text('gone');
  },
  unknown: async () => text(await ask('acme/unknown', {})),
  ping: async () => text(await ask('ping', {})),
  log: () => {
    notify('notifications/message', { level: 'info', data: 'working' });
    return text('ok');
  },
  completed: () => {
    notify('notifications/elicitation/complete', { elicitationId: 'e-1' });
    return text('ok');
  },
  changed: () => {
    notify('notifications/tools/list_changed', {});
    return text('ok');
  },
  progress: ({ params }) => {
    const { progressToken } = (params?._meta ?? {}) as { progressToken?: unknown };
    for (const progress of [1, 2, 2, 1, 3]) notify('notifications/progress', { progressToken, progress });
    notify('notifications/progress', { progressToken: 4711, progress: 9 });
    return text(progressToken ?? null);
  },
  offspring: () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    return text(child.pid);
  },
  runaway: () => {
    // Leaves the process group, and keeps our pipes open.
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 8000)'], { stdio: 'inherit', detached: true });
    return text(child.pid);
  },
  'stop-reading': () => {
    process.stdin.pause();
    return text('ok');
  },
  batch: ({ id }) => {
    const note = { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: {} };
    process.stdout.write(`${JSON.stringify([note, { jsonrpc: '2.0', id, result: text('batch') }])}\n`);
    return undefined;
  },
};

async function call(message: Message): Promise<void> {
  const tool = tools[message.params?.name ?? ''];
  if (tool === undefined) return send({ id: message.id, error: { code: -32602, message: 'Unknown tool' } });
  const result = await tool(message);
  if (result !== undefined) send({ id: message.id, result });
}

const isModern = modes.has('modern');

function initialize(id: unknown): void {
  if (isModern && !modes.has('both')) {
    send({ id, error: { code: -32022, message: 'Unsupported', data: { supported: ['2026-07-28'] } } });
    return;
  }
  const capabilities = { tools: { listChanged: true } };
  const result = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'raw', version: '1' } };
  send({ id, result });
}

function discover(id: unknown): void {
  if (modes.has('die-at-probe')) process.exit(4);
  if (modes.has('mute')) return;
  if (!isModern) {
    send({ id, error: { code: -32601, message: 'Method not found' } });
    return;
  }
  const _meta = { 'io.modelcontextprotocol/serverInfo': { name: 'raw', version: '2' } };
  const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, _meta };
  send({ id, result });
}

function listen(id: unknown): void {
  const _meta = { 'io.modelcontextprotocol/subscriptionId': id };
  notify('notifications/subscriptions/acknowledged', { _meta, notifications: {} });
  notify('notifications/tools/list_changed', { _meta });
  if (modes.has('hang-up')) notify('notifications/cancelled', { requestId: id });
}

function receive(line: string): void {
  const message = JSON.parse(line) as Message;
  seen.push(message);
  const { id, method } = message;
  if (method === 'initialize') initialize(id);
  else if (method === 'server/discover') discover(id);
  else if (method === 'subscriptions/listen') listen(id);
  else if (method === 'tools/list') send({ id, result: { tools: [] } });
  else if (method === 'tools/call') void call(message);
  else if (method === undefined) waiting.get(id)?.(message);
}

if (modes.has('die-at-start')) process.exit(5);
if (modes.has('stubborn')) {
  process.on('SIGTERM', () => undefined);
  setInterval(() => undefined, 1_000);
}
const begin = (): void => void createInterface({ input: process.stdin }).on('line', receive);
if (modes.has('slow')) setTimeout(begin, 700);
else begin();
