import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AuditRecord,
  accessResource,
  accessSubject,
  auditSchemaVersion,
  type Call,
  everything,
  type InvokeRequest,
  type JsonText,
  toolCall,
} from '@sallyport/core';
import { createLogger, loadMasterKey } from '@sallyport/gateway';
import { createAdmit, hostOrigin, peerFlood } from '../packages/gateway/src/admission/index.ts';
import { createRecord, openAuditLog } from '../packages/gateway/src/audit/index.ts';
import { authenticatorKinds } from '../packages/gateway/src/authentication/index.ts';
import { mintToken } from '../packages/gateway/src/authentication/mint-token.ts';
import { createLiveCatalog } from '../packages/gateway/src/catalog/live.ts';
import { composeStages } from '../packages/gateway/src/compose/stages.ts';
import { createMemoryLimiter, createRate, defaultPresets } from '../packages/gateway/src/limits/index.ts';
import { fixedRegistry, inProcessService } from '../packages/gateway/src/registry/in-process.ts';
import { createSealer, deriveKey } from '../packages/gateway/src/secrets/index.ts';
import { openState } from '../packages/gateway/src/store/index.ts';
import { newCallId, newTrace } from '../packages/gateway/src/telemetry/index.ts';
import { createSealing } from '../packages/gateway/src/upstream/sealing.ts';

/** What each stage costs by itself: the real kinds, one call, microseconds of CPU on the request thread. */
const rounds = process.argv.includes('--smoke') ? 500 : 20_000;
const folder = mkdtempSync(join(tmpdir(), 'sallyport-stages-'));
const nowMs = Date.now;
const log = createLogger({ level: 'error' });
const pepper = deriveKey(loadMasterKey(join(folder, 'keys', 'master.key')), 'token-pepper');
const state = await openState({ path: join(folder, 'state.db'), nowMs });
const maxTokenLifeMs = () => 1e10;
const { tokens, accounts } = state;
const account = await accounts.create({ name: 'bench', kind: 'agent' });
const minted = await mintToken(
  { tokens, pepper, nowMs, maxTokenLifeMs },
  { account, scopes: ['tasks:write'], label: 'bench', lifeMs: 3_600_000 },
);
const keys = { argumentHash: randomBytes(32), seal: randomBytes(32), signing: randomBytes(32) };
const auditLog = await openAuditLog({ path: join(folder, 'audit.db'), keys, log });
const record = createRecord({ log: auditLog, logger: log, nowMs });
const inputSchema = { type: 'object', properties: { title: { type: 'string', minLength: 1 } }, required: ['title'] };
const registry = fixedRegistry([
  inProcessService(
    {
      service: 'tasks',
      version: '1.0.0',
      tools: Array.from({ length: 100 }, (_, i) => ({
        name: `TaskService.Do${i}`,
        description: 'x',
        inputSchema,
        scopes: ['tasks:write'],
      })),
    },
    Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`TaskService.Do${i}`, () => ({ ok: true })])),
  ),
]);
const limiter = createMemoryLimiter({ nowMs: () => performance.now() });
const much = { rate: 1e9, burst: 1e9 };
const stages = composeStages({
  admit: createAdmit([
    peerFlood({ limiter, limit: much }),
    hostOrigin({ boundHosts: () => ['127.0.0.1'], scheme: 'http', allowedHosts: [], allowedOrigins: [] }),
  ]),
  authenticators: authenticatorKinds.map((kind) =>
    kind.create({ tokens, pepper, nowMs, maxTokenLifeMs, scopesOf: () => [] }),
  ),
  catalog: createLiveCatalog({ registry, overrideFor: () => ({}), log }),
  viewNamed: () => undefined,
  sealing: createSealing({ sealer: createSealer(randomBytes(32), nowMs), nowMs, gatewayId: 'bench' }),
  rate: createRate({ limiter, presets: { ...defaultPresets, write: much }, overrides: [], denied: much }),
  record,
  nowMs,
});

const call: Call<InvokeRequest> = {
  id: newCallId(),
  request: toolCall('tasks.TaskService.Do7', '{"title":"about as much text as an agent sends"}' as JsonText),
  endpoint: everything,
  presented: { kind: 'bearer', token: minted.text },
  origin: { transport: 'rest', peer: '127.0.0.1', era: 'none', host: '127.0.0.1:3000' },
  trace: newTrace(),
  receivedAtMs: nowMs(),
  signal: new AbortController().signal,
  receivedBytes: 300,
};
const principal = await stages.authenticate(call);
const view = await stages.view(principal, everything);
const tool = view.catalog.byName.get(call.request.name);
if (tool === undefined) throw new Error('the tool is not in the catalog');
const input = await stages.validate(call, tool);
const request = {
  subject: accessSubject(principal),
  action: 'invoke',
  resource: accessResource(tool),
  context: { timeMs: 0, transport: 'rest', arguments: input.value },
} as const;
const entry: AuditRecord = {
  ...{
    schema: auditSchemaVersion,
    kind: 'outcome',
    callId: call.id,
    traceId: call.trace.traceId,
    spanId: call.trace.spanId,
  },
  ...{
    timeMs: nowMs(),
    durationMs: 1,
    verb: 'invoke',
    origin: call.origin,
    subject: principal.subject,
    tool: tool.name,
  },
  ...{ outcome: 'answered', inputBytes: 300, outputBytes: 300, argumentsText: input.text, request },
};

const measured: [string, () => unknown][] = [
  ['admit', () => stages.admit(call)],
  ['authenticate', () => stages.authenticate(call)],
  ['resolve', () => stages.view(principal, everything)],
  ['entitle', () => stages.entitle(principal, tool)],
  ['rate', () => stages.rate(call, principal, tool)],
  ['validate', () => stages.validate(call, tool)],
  ['authorize', () => stages.authorize(request)],
  ['record (handing over; 64 at a time)', () => stages.record(entry)],
];
const rows: Record<string, { micros: number }> = {};
for (const [name, run] of measured) {
  const batch = name.startsWith('record') ? 64 : 1;
  for (let i = 0; i < rounds / 10; i++) await run();
  const before = process.threadCpuUsage();
  for (let i = 0; i < rounds; i += batch) await Promise.all(Array.from({ length: batch }, run));
  const { user, system } = process.threadCpuUsage(before);
  rows[name] = { micros: Math.round(((user + system) / rounds) * 100) / 100 };
}
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ rows })}\n`);
else console.table(rows);
await record.close();
await auditLog.close();
await state.close();
rmSync(folder, { recursive: true, force: true });
