// What the contract of upstreams wants of a service, over stdio: `node contract-stdio-server.ts folder era`.
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [, , folder = '.', era = 'legacy'] = process.argv;
if (existsSync(join(folder, 'dead'))) process.exit(1);
writeFileSync(join(folder, 'pid'), String(process.pid));

type Params = { readonly name: string; readonly arguments: { readonly size?: number }; readonly _meta?: Meta };
type Meta = { readonly progressToken?: unknown };

const toolNames = ['Echo', 'Fail', 'Hang', 'Large', 'Progress', 'Process'].map((name) => `Contract.${name}`);
const tools = toolNames.map((name) => ({ name, inputSchema: { type: 'object' } }));
const send = (message: object): void =>
  void process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const content = (text: string): object => ({ content: [{ type: 'text', text }] });

function call(line: string, { name, arguments: args, _meta }: Params): object | undefined {
  const text = line.slice(line.indexOf('"arguments":') + 12, -2);
  appendFileSync(join(folder, 'calls'), `${text}\n`);
  if (name === 'Contract.Hang') return undefined;
  if (name === 'Contract.Fail') return { content: [], isError: true };
  if (name === 'Contract.Large') return content('x'.repeat(args.size ?? 0));
  if (name === 'Contract.Process') return content(String(process.pid));
  for (const progress of name === 'Contract.Progress' && _meta?.progressToken !== undefined ? [1, 2, 2] : []) {
    const params = { progressToken: _meta?.progressToken, progress };
    send({ method: 'notifications/progress', params });
  }
  return content(text);
}

function answer(line: string, method: string, params: Params): object | undefined {
  const capabilities = { tools: {} };
  const serverInfo = { name: 'contract', version: '1.0.0' };
  switch (method) {
    case 'initialize':
      return era === 'legacy' ? { protocolVersion: '2025-11-25', capabilities, serverInfo } : undefined;
    case 'server/discover': {
      const _meta = { 'io.modelcontextprotocol/serverInfo': serverInfo };
      return era === 'modern' ? { supportedVersions: ['2026-07-28'], capabilities, _meta } : undefined;
    }
    case 'tools/list':
      return { tools };
    case 'tools/call':
      return call(line, params);
    default:
      return undefined;
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method = '', params } = JSON.parse(line) as { id?: number; method?: string; params?: Params };
  if (method === 'notifications/cancelled') appendFileSync(join(folder, 'cancelled'), 'x');
  if (id === undefined || params === undefined) return;
  const result = answer(line, method, params);
  if (result !== undefined) send({ id, result });
  else if (params.name !== 'Contract.Hang') send({ id, error: { code: -32601, message: 'Method not found' } });
});
