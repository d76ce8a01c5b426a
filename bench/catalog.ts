import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { type Authenticator, notResponsible } from '@sallyport/core';
import { callbackAuditLog, createGateway, fixedRegistry, inProcessService } from '@sallyport/gateway';
import { median } from './load.ts';

/**
 * What listing costs when there is much to list: ten services with a thousand tools each, listed page by page over MCP, for
 * a caller who sees all of them and for one who sees one in ten. Beside it, what printing the same entries with
 * `JSON.stringify` costs: the least that a gateway which keeps no texts would pay.
 */
const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, json: { type: 'boolean' } } });
const [services, tools, rounds] = values.smoke ? [2, 100, 1] : [10, 1_000, 7];

const inputSchema = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200, description: 'What it is called.' },
    amount: { type: 'integer', minimum: 0, description: 'How many of it.' },
    labels: { type: 'array', items: { type: 'string' }, maxItems: 10 },
  },
  required: ['title'],
};

const byToken: Authenticator = {
  authenticate: ({ presented }) => {
    if (presented.kind !== 'bearer') return notResponsible;
    const scopes = presented.token === 'all' ? ['*'] : ['some'];
    return {
      ...{ subject: presented.token, client: 'bench', kind: 'agent', scopes, attributes: {} },
      ...{ method: 'bench', credentialId: presented.token },
    };
  },
};

const registry = fixedRegistry(
  Array.from({ length: services }, (_, service) => {
    const names = Array.from({ length: tools }, (__, tool) => `TaskService.Do${tool}`);
    const declared = names.map((name, i) => ({
      ...{ name, description: 'Does one of very many things, as its description says at some length.', inputSchema },
      scopes: i % 10 === 0 ? ['some'] : ['other'],
    }));
    return inProcessService(
      { service: `service-${service}`, version: '1.0.0', tools: declared },
      Object.fromEntries(names.map((name) => [name, () => ({})])),
    );
  }),
);
const gateway = createGateway({
  ...{ registry, authenticators: [byToken], audit: callbackAuditLog(() => undefined) },
  peer: { rate: 1e6, burst: 1e6 },
});
const url = await gateway.listen({ port: 0 });

interface Page {
  readonly result: { readonly tools: readonly object[]; readonly nextCursor?: string };
}

async function listAll(token: string): Promise<{ readonly pages: number; readonly entries: readonly object[] }> {
  const entries: object[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': 'tools/list',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { cursor, _meta } }),
    });
    const page = (await response.json()) as Page;
    entries.push(...page.result.tools);
    cursor = page.result.nextCursor;
    pages++;
  } while (cursor !== undefined);
  return { pages, entries };
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const before = performance.now();
  const value = await work();
  return { ms: performance.now() - before, value };
}

const whole: number[] = [];
const part: number[] = [];
const printed: number[] = [];
let seen = { pages: 0, entries: 0, few: 0 };
for (let round = 0; round <= rounds; round++) {
  const all = await timed(() => listAll('all'));
  const some = await timed(() => listAll('some'));
  const print = await timed(() => all.value.entries.map((entry) => JSON.stringify(entry)).join().length);
  seen = { pages: all.value.pages, entries: all.value.entries.length, few: some.value.entries.length };
  if (round === 0) continue;
  whole.push(all.ms);
  part.push(some.ms);
  printed.push(print.ms);
}
await gateway.close();
await registry.close();

const wanted = services * tools;
if (seen.entries !== wanted || seen.few !== wanted / 10) {
  throw new Error(`listed ${seen.entries} and ${seen.few} instead of ${wanted} and ${wanted / 10}`);
}
const report = {
  tools: wanted,
  pages: seen.pages,
  wholeMs: round2(median(whole)),
  perPageMs: round2(median(whole) / seen.pages),
  oneInTenMs: round2(median(part)),
  timesPrinting: round2(median(whole.map((ms, i) => ms / (printed[i] ?? Number.NaN)))),
};
process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : `${table(report)}\n`);

function table(of: typeof report): string {
  return [
    `${of.tools} tools of ${services} services, ${of.pages} pages, medians of ${rounds}:`,
    `  whole list over MCP           ${of.wholeMs} ms (${of.perPageMs} ms a page; the reader is this process too)`,
    `  list of one tool in ten       ${of.oneInTenMs} ms`,
    `  whole list / JSON.stringify   × ${of.timesPrinting}`,
  ].join('\n');
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
