// An MCP server over stdio that does harm in the way that its argument says: `node hostile-stdio.ts way`.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string };
}

const [way = ''] = process.argv.slice(2);
const send = (message: object): void => write(JSON.stringify({ jsonrpc: '2.0', ...message }));

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes as fast as it is read, for so many milliseconds. */
async function pour(text: string, ms: number, stream: NodeJS.WritableStream = process.stdout): Promise<void> {
  const until = Date.now() + ms;
  while (Date.now() < until) {
    if (stream.write(text)) await new Promise((resolve) => setImmediate(resolve));
    else await new Promise((resolve) => stream.once('drain', resolve));
  }
}

const notification = (method: string, params: object): string =>
  `${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`;
const elicitation = (n: number): object => ({
  id: `e${n}`,
  method: 'elicitation/create',
  params: { message: 'x', elicitationId: `${n}` },
});

const ways: Readonly<Record<string, () => unknown>> = {
  junk: () => pour('this is no message\n'.repeat(1_000), 400),
  bytes: () => pour('\u00ff\n'.repeat(1_000), 400),
  stderr: () => pour('a complaint\n'.repeat(1_000), 400, process.stderr),
  logs: () => pour(notification('notifications/message', { level: 'error', data: 'x' }).repeat(500), 400),
  progress: () => pour(notification('notifications/progress', { progressToken: 'x', progress: 1 }).repeat(500), 400),
  changes: () => pour(notification('notifications/tools/list_changed', {}).repeat(500), 400),
  questions: () => {
    for (let n = 0; n < 100; n++) send(elicitation(n));
  },
  pings: () => pour('{"jsonrpc":"2.0","id":1,"method":"ping"}\n'.repeat(500), 400),
  environment: () => JSON.stringify(process.env),
  child: () => {
    const child = spawn('sleep', ['300'], { stdio: 'ignore' });
    return String(child.pid);
  },
};

async function call(id: number | undefined): Promise<void> {
  const text = await ways[way]?.();
  send({ id, result: { content: [{ type: 'text', text: typeof text === 'string' ? text : 'done' }] } });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as Message;
  if (method === 'initialize') {
    const serverInfo = { name: 'hostile', version: '1.0.0' };
    send({ id, result: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo } });
  } else if (method === 'tools/list')
    send({ id, result: { tools: [{ name: 'do', inputSchema: { type: 'object' } }] } });
  else if (method === 'tools/call') void call(id);
  else if (id !== undefined && method !== undefined) send({ id, error: { code: -32601, message: 'Method not found' } });
});
