/**
 * Measures what one call costs a service in CPU: over the hop, and over its MCP endpoint. The service runs in this
 * process and the caller in another, so that only the service's own CPU is counted.
 *
 * Run: node --conditions=sallyport-source bench/kit-hop.ts [calls]
 */
import { spawn } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { service } from '@sallyport/kit';
import {
  callFrame,
  createAcceptor,
  createLineSplitter,
  maxLineLength,
  type ProofCrypto,
  resultFrame,
} from '@sallyport/protocol';
import { z } from 'zod';
import { nodeCrypto } from '../packages/kit/src/hop/node-crypto.ts';

const sha256 = (text: string): string => hash('sha256', text, 'base64url');

const token = 'a-token-for-the-bench';
const args = '{"title":"Buy tea","tags":["home","shop"],"priority":3}';

if (process.argv[2] === 'hop-caller') await callOverHop(JSON.parse(process.argv[3] ?? ''));
else if (process.argv[2] === 'mcp-caller') await callOverMcp(JSON.parse(process.argv[3] ?? ''));
else await measure(Number(process.argv[2] ?? 50_000));

async function measure(calls: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const credential = { id: 'tasks', service: 'tasks', key: randomBytes(32).toString('base64url') };
  const credentialFile = join(folder, 'credential.json');
  const socket = join(folder, 'hop.sock');
  writeFileSync(credentialFile, JSON.stringify(credential), { mode: 0o600 });
  const input = z.object({ title: z.string().min(1), tags: z.array(z.string()), priority: z.number() });
  const output = z.object({ id: z.string(), title: z.string() });
  process.env.SALLYPORT_LOG_LEVEL = 'error';
  const tasks = service('tasks', { version: '1.0.0' });
  tasks.tool('TaskService.Create', { description: 'Creates a task.', input, output }, ({ title }) => ({
    id: '42',
    title,
  }));

  const caller = startCaller('hop-caller', { socket, credential });
  await caller.ready;
  const listening = await tasks.listen({
    hop: `unix:${socket}`,
    credentialFile,
    signals: false,
    mcp: { port: 0, token },
  });
  const hop = await caller.run(calls, 32);
  const alone = await caller.run(Math.round(calls / 5), 1);
  caller.stop();
  const sdkCalls = Math.max(200, Math.round(calls / 25));
  const mcpCaller = startCaller('mcp-caller', { url: listening.mcpUrl });
  await mcpCaller.ready;
  const mcp = await mcpCaller.run(sdkCalls, 32);
  mcpCaller.stop();
  console.log(
    JSON.stringify({
      hopMicrosPerCall: Number(hop.toFixed(1)),
      hopAloneMicrosPerCall: Number(alone.toFixed(1)),
      mcpMicrosPerCall: Number(mcp.toFixed(1)),
      ratio: Number((mcp / hop).toFixed(1)),
      calls,
    }),
  );
  await tasks.close();
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

/** Starts a caller in its own process. It says `ready`, then for every line `calls concurrency` on its input makes so many and says `done`. */
function startCaller(kind: string, options: object) {
  const self = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ['--conditions=sallyport-source', self, kind, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  const said = (word: string) =>
    new Promise<void>((resolve) => {
      const listen = (text: string) => {
        if (!text.includes(word)) return;
        child.stdout.off('data', listen);
        resolve();
      };
      child.stdout.on('data', listen);
    });
  const round = async (calls: number, concurrency: number) => {
    const done = said('done');
    const before = process.cpuUsage();
    child.stdin.write(`${calls} ${concurrency}\n`);
    await done;
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  return {
    ready: said('ready'),
    /** CPU of this process per call, in microseconds: the best of three rounds after one to warm up. */
    run: async (calls: number, concurrency: number) => {
      const rounds: number[] = [];
      for (let index = 0; index < 4; index += 1) rounds.push(await round(calls, concurrency));
      return Math.min(...rounds.slice(1)) / calls;
    },
    stop: () => child.kill(),
  };
}

/** Keeps `concurrency` calls in flight until `calls` are answered. `start` makes one and calls back. */
function burst(calls: number, concurrency: number, start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let started = 0;
    let ended = 0;
    const next = (): void => {
      if (started === calls) return;
      started += 1;
      start(() => {
        ended += 1;
        if (ended === calls) resolve();
        else next();
      });
    };
    for (let index = 0; index < concurrency; index += 1) next();
  });
}

function onGo(start: (done: () => void) => void): void {
  process.stdin.setEncoding('utf8').on('data', (line) => {
    const [calls = 0, concurrency = 1] = String(line).split(' ').map(Number);
    void burst(calls, concurrency, start).then(() => console.log('done'));
  });
}

interface HopCaller {
  readonly socket: string;
  readonly credential: { readonly id: string; readonly service: string; readonly key: string };
}

async function callOverHop({ socket, credential }: HopCaller): Promise<void> {
  const crypto: ProofCrypto = nodeCrypto;
  const waiting = new Map<number, () => void>();
  const principal = {
    subject: 'alice',
    actor: { subject: 'claude' },
    client: 'claude-code',
    session: 's-1',
    kind: 'agent',
    scopes: ['tasks:read', 'tasks:write'],
    attributes: { department: 'sales' },
  } as const;
  let seq = 0;
  const server = createServer((stream) => {
    const acceptor = createAcceptor(crypto, () => credential);
    let proved = false;
    const splitter = createLineSplitter(maxLineLength, (line) => {
      if (!proved) {
        proved = true;
        stream.write(acceptor.accept(line).reply);
      } else if (line.includes('"announce"')) stream.write(resultFrame(0, '{}'));
      else if (!line.startsWith('{"jsonrpc":"2.0","id":"p"')) {
        if (!line.includes('"structuredContent":{"id":"42"')) throw new Error(line);
        const id = Number(/"id":(\d+)/.exec(line)?.[1]);
        waiting.get(id)?.();
        waiting.delete(id);
      }
    });
    stream.setEncoding('utf8').on('data', (chunk) => splitter.push(String(chunk)));
    stream.on('error', () => undefined);
    stream.write(acceptor.challenge);
    setInterval(() => stream.write('{"jsonrpc":"2.0","id":"p","method":"ping"}\n'), 1_000).unref();
    onGo((done) => {
      seq += 1;
      waiting.set(seq, done);
      const frame = callFrame(
        {
          tool: 'TaskService.Create',
          call: '7d4f0f0e-7d61-4d21-8b38-0f3a6f2f7a11',
          seq,
          audience: 'tasks',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          timeoutMs: 30_000,
          transport: 'http',
          principal,
        },
        args,
        sha256,
      );
      // Together, as a gateway's writes of one turn are.
      if (stream.writableCorked === 0) {
        stream.cork();
        setImmediate(() => stream.uncork());
      }
      stream.write(frame);
    });
  });
  server.listen(socket, () => console.log('ready'));
}

async function callOverMcp({ url }: { readonly url: string }): Promise<void> {
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"TaskService.Create","arguments":${args}}}`;
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': '2025-11-25',
  };
  const { Agent } = await import('node:http');
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  onGo((done) => {
    const sent = request(url, { method: 'POST', headers, agent }, (response) => {
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
      response.resume().once('end', done);
    });
    sent.end(body);
  });
  console.log('ready');
}
