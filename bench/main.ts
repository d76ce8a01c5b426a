import { parseArgs } from 'node:util';
import { jsonRequest, type LoadResult, median, runLoad } from './load.ts';
import { startTarget, type Target } from './target.ts';

/**
 * Measures what governing a call costs: the same call answered by a bare HTTP server (the floor), by the service itself,
 * and through the gateway over the lean hop and over HTTP. All in one run, in turns; only ratios are worth quoting.
 */
const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});
const rounds = Number(values.rounds ?? (values.smoke ? 1 : 5));
const durationMs = values.smoke ? 300 : 1_500;
const say = (line: string) => process.stderr.write(`${line}\n`);

const modern = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call' };

function callOf(tool: string): string {
  const text = 'a governed call with about as much text as an agent sends when it creates something small'.repeat(1);
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
  };
  return JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: tool, arguments: { text }, _meta },
  });
}

interface Contender {
  readonly name: string;
  readonly target: Target;
  readonly request: Buffer;
}

interface Measured {
  readonly perSecond: number[];
  readonly cpuMicros: number[];
  readonly alone: number[];
  wrong: number;
}

async function measure(contender: Contender, connections: number): Promise<LoadResult & { cpuPerRequest: number }> {
  const { target, request } = contender;
  const before = await target.cpuMicros();
  const result = await runLoad({ port: target.port, request, connections, durationMs, maxRequests: 200_000 });
  const after = await target.cpuMicros();
  return { ...result, cpuPerRequest: (after - before) / Math.max(1, result.requests) };
}

const floor = await startTarget('floor');
const foreign = await startTarget('mcp-server');
const gateway = await startTarget('gateway', { FOREIGN: `http://127.0.0.1:${foreign.port}/mcp` });
const { token = '', hop = '', credentialFile = '' } = gateway.details;
const service = await startTarget('service', { SALLYPORT_HOP: hop, SALLYPORT_CREDENTIAL_FILE: credentialFile });
const { token: mcpToken = '' } = service.details;
const authorized = { ...modern, Authorization: `Bearer ${token}` };

const contenders: readonly Contender[] = [
  { name: 'floor: bare node:http', target: floor, request: jsonRequest('/mcp', callOf('echo')) },
  {
    name: 'governed, lean hop',
    target: gateway,
    request: jsonRequest('/mcp', callOf('bench.Echo.Say'), { ...authorized, 'Mcp-Name': 'bench.Echo.Say' }),
  },
  {
    name: 'governed, HTTP hop',
    target: gateway,
    request: jsonRequest('/mcp', callOf('foreign.Echo.Say'), { ...authorized, 'Mcp-Name': 'foreign.Echo.Say' }),
  },
  {
    name: 'direct: MCP face of the service',
    target: service,
    request: jsonRequest('/mcp', callOf('Echo.Say'), {
      ...modern,
      Authorization: `Bearer ${mcpToken}`,
      'Mcp-Name': 'Echo.Say',
    }),
  },
];

const measured = new Map<string, Measured>(
  contenders.map(({ name }) => [name, { perSecond: [], cpuMicros: [], alone: [], wrong: 0 }]),
);
for (let round = 0; round <= rounds; round++) {
  say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
  for (const contender of contenders) {
    const many = await measure(contender, 32);
    const one = await measure(contender, 1);
    const row = measured.get(contender.name);
    if (round === 0 || row === undefined) continue;
    row.perSecond.push(many.perSecond);
    row.cpuMicros.push(many.cpuPerRequest);
    row.alone.push(one.p50);
    row.wrong += many.wrong + one.wrong;
  }
}
await Promise.all([service.stop(), gateway.stop(), floor.stop(), foreign.stop()]);

const base = measured.get(contenders[0]?.name ?? '');
const rows = contenders.map(({ name }) => {
  const row = measured.get(name) as Measured;
  const ratios = row.perSecond.map((value, round) => value / (base?.perSecond[round] ?? Number.NaN));
  const added = row.cpuMicros.map((value, round) => value - (base?.cpuMicros[round] ?? 0));
  return {
    name,
    timesFloor: round2(median(ratios)),
    perSecond: Math.round(median(row.perSecond)),
    cpuMicros: Math.round(median(row.cpuMicros)),
    addedCpuMicros: Math.round(median(added)),
    p50AloneMs: round2(median(row.alone)),
    wrongAnswers: row.wrong,
  };
});
if (values.json) process.stdout.write(`${JSON.stringify({ rounds, rows })}\n`);
else console.table(Object.fromEntries(rows.map(({ name, ...row }) => [name, row])));
await import('./stages.ts');
if (rows.some((row) => row.wrongAnswers > 0)) {
  say('some answers were not 200: the figures above mean nothing');
  process.exitCode = 1;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
