import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { callFrame, readCallParams, readFrame } from '@sallyport/protocol';
import { createKeyRing, createStatements, digest, type KeptKey } from '../packages/gateway/src/assertion/index.ts';
import { createSealer } from '../packages/gateway/src/secrets/index.ts';
import { createStatementCheck } from '../packages/kit/src/mcp/statement.ts';

/**
 * What it costs to say to a service who calls, and to check it: as data on the hop, with and without the digest of the arguments,
 * and as a signed statement over HTTP. Microseconds of CPU of the whole process, signing threads included. All are measured in
 * one run, and only the ratios are worth quoting.
 */
const rounds = process.argv.includes('--smoke') ? 200 : 20_000;
const principal = { subject: 'ada', client: 'agent', kind: 'agent', scopes: ['tasks:write'], attributes: {} } as const;
const argumentsText = JSON.stringify({ title: 'Buy tea', notes: 'x'.repeat(200), due: '2026-11-21T12:00:00Z' });
const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const claims = { tool: 'TaskService.Create', call: 'c', audience: 'tasks', timeoutMs: 30_000, transport: 'http' };

const kept: KeptKey[] = [];
const store = { keys: () => kept, addKey: (key: KeptKey) => void kept.push(key), removeKey: () => undefined };
const ring = createKeyRing({ store, sealer: createSealer(randomBytes(32), Date.now), nowMs: Date.now });
const statements = createStatements({ ring, issuer: () => 'https://gate.example', nowMs: Date.now });
const server = createServer(async (_request, response) => response.end(JSON.stringify(await ring.published())));
await new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});
const keysUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const check = createStatementCheck({ service: 'tasks', trust: { keysUrl }, nowMs: Date.now });
const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}';
const request = { method: 'POST', body };
const sign = statements.ofGateway('tasks');

async function micros(work: (round: number) => unknown): Promise<number> {
  for (let round = 0; round < rounds / 10; round++) await work(-1 - round);
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) await work(round);
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) / rounds) * 100) / 100;
}

const write = (sha256: (text: string) => string) => (seq: number) =>
  callFrame({ ...claims, traceparent, seq, principal }, argumentsText, sha256);
const line = write(digest)(1).slice(0, -1);
const ready: string[] = [];
for (let round = 0; round < rounds + rounds / 10; round++) ready.push(await sign(request));

const table = {
  'hop: write a call': { micros: await micros(write(() => '')) },
  'hop: write a call, with the digest': { micros: await micros(write(digest)) },
  'hop: read a call': {
    micros: await micros(() => {
      const frame = readFrame(line);
      return frame?.kind === 'request' && readCallParams(frame.params);
    }),
  },
  'hop: the digest of what was read': { micros: await micros(() => digest(argumentsText)) },
  'HTTP: sign a statement': { micros: await micros(() => sign(request)) },
  'HTTP: check a statement': {
    micros: await micros(async () => {
      const read = await check.read(ready.pop());
      if (typeof read === 'string') throw new Error(read);
      if (typeof check.confirm(read, { method: 'POST', raw: body }) === 'string') throw new Error('not believed');
    }),
  },
};
const unit = table['hop: write a call, with the digest'].micros;
const rows = Object.entries(table).map(([name, { micros: cost }]) => [
  name,
  { micros: cost, ratio: Math.round((cost / unit) * 10) / 10 },
]);
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(Object.fromEntries(rows))}\n`);
else console.table(Object.fromEntries(rows));
server.close();
server.closeAllConnections();
