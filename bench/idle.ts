import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { startTarget, type Target } from './target.ts';

/**
 * What clients cost that are there and do nothing: open `subscriptions/listen` streams of modern clients, sessions of
 * legacy ones, and such sessions with their stream open. Each is opened on top of nothing, counted, measured and closed.
 */
const { values } = parseArgs({
  options: { smoke: { type: 'boolean', default: false }, json: { type: 'boolean' }, count: { type: 'string' } },
});
const count = Number(values.count ?? (values.smoke ? 100 : 5_000));
const atOnce = 50;
const say = (line: string) => process.stderr.write(`${line}\n`);

const modern = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'subscriptions/listen' };
const listen = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'subscriptions/listen',
  params: {
    notifications: { toolsListChanged: true },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
});
const clientInfo = { name: 'bench', version: '1.0.0' };
const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
});

interface Idle {
  /** Ends it. */
  close(): void;
}

interface Asked {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent: Agent;
}

/** Sends one request; resolves when the first bytes of its answer are there, or all of it. */
function ask(target: Target, { method, headers, body, agent }: Asked, whole: boolean) {
  return new Promise<Idle & { readonly session: string }>((resolve, reject) => {
    const common = { Accept: 'application/json, text/event-stream', 'Content-Type': 'application/json' };
    const authorization = `Bearer ${target.details.token}`;
    const sent = request({
      ...{ host: '127.0.0.1', port: target.port, path: '/mcp', method, agent },
      headers: { ...common, Authorization: authorization, ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const { statusCode = 0 } = response;
      const opened = { close: () => sent.destroy(), session: String(response.headers['mcp-session-id'] ?? '') };
      if (statusCode >= 300) reject(new Error(`HTTP ${statusCode}`));
      response.on('error', () => undefined);
      response.on('data', () => !whole && resolve(opened));
      response.on('end', () => resolve(opened));
      if (!whole && method === 'GET') resolve(opened);
    });
    sent.end(body);
  });
}

async function openMany(open: () => Promise<Idle>): Promise<readonly Idle[]> {
  const opened: Idle[] = [];
  while (opened.length < count) {
    const more = Array.from({ length: Math.min(atOnce, count - opened.length) }, open);
    opened.push(...(await Promise.all(more)));
  }
  return opened;
}

const idleTimeoutMs = 10_000;
const kinds: Readonly<Record<string, (target: Target) => Promise<readonly Idle[]>>> = {
  'modern listen streams': (target) => {
    const agent = new Agent({ keepAlive: false });
    return openMany(() => ask(target, { method: 'POST', headers: modern, body: listen, agent }, false));
  },
  'legacy sessions': (target) => {
    const agent = new Agent({ keepAlive: true, maxSockets: atOnce, timeout: idleTimeoutMs });
    return openMany(() => ask(target, { method: 'POST', headers: {}, body: initialize, agent }, true));
  },
  'legacy sessions with a stream': (target) => {
    const agent = new Agent({ keepAlive: true, maxSockets: atOnce, timeout: idleTimeoutMs });
    return openMany(async () => {
      const { session } = await ask(target, { method: 'POST', headers: {}, body: initialize, agent }, true);
      const headers = { 'Mcp-Session-Id': session, 'MCP-Protocol-Version': '2025-11-25' };
      return ask(target, { method: 'GET', headers, agent: new Agent({ keepAlive: false }) }, false);
    });
  },
};

const rows: { kind: string; count: number; kibEach: number; heapKibEach: number }[] = [];
for (const [kind, open] of Object.entries(kinds)) {
  say(`${count} ${kind}`);
  const target = await startTarget('gateway', { MANY: String(4 * count) });
  await ask(target, { method: 'POST', headers: {}, body: initialize, agent: new Agent() }, true);
  const before = await target.memory();
  const opened = await open(target);
  const after = await target.memory();
  for (const idle of opened) idle.close();
  await target.stop();
  const each = (bytes: number) => Math.round((bytes / 1024 / count) * 10) / 10;
  rows.push({ kind, count, kibEach: each(after.rss - before.rss), heapKibEach: each(after.heap - before.heap) });
}

process.stdout.write(
  values.json
    ? `${JSON.stringify(rows)}\n`
    : `${['| held open | how many | KiB each | of it heap |', '|---|--:|--:|--:|', ...rows.map(toRow)].join('\n')}\n`,
);

function toRow(row: (typeof rows)[number]): string {
  return `| ${row.kind} | ${row.count} | ${row.kibEach} | ${row.heapKibEach} |`;
}
