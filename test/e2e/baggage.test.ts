import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, mintCredential, type RunningGateway, startGateway, writeCredentialFile } from '@sallyport/gateway';
import { service } from '@sallyport/kit';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  type FakeHttpServer,
  startFakeHttpServer,
} from '../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';

process.env.SALLYPORT_LOG_LEVEL ??= 'error';

let folder: string;
let server: FakeHttpServer;
let gateway: RunningGateway;
let token: string;
const closers: (() => unknown)[] = [];

/** A service that tells what it was told, and what it tells another one. */
async function startService(name: string): Promise<string> {
  const made = service(name, { version: '1.0.0', codeHash: 'sha256:4242' });
  const input = z.object({});
  const common = { input, sideEffect: 'read', dataCategories: ['team-names'] } as const;
  made.tool('Echo.Tell', { ...common, description: 'Tells.' }, (_, ctx) => ({ baggage: ctx.baggage ?? null }));
  made.tool('Echo.Ask', { ...common, description: 'Asks another.' }, (_, ctx) => ctx.call('second.Echo.Tell', {}));
  const credentialFile = join(folder, `${name}.json`);
  writeCredentialFile(credentialFile, mintCredential(name));
  const listen = `unix:${join(folder, `${name}.sock`)}`;
  await made.listen({ listen, credentialFile, signals: false });
  closers.push(() => made.close());
  return `  ${name}: { address: "${listen}", credential: ${credentialFile} }\n`;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sp-bag-'));
  const services = [await startService('first'), await startService('second')].join('');
  server = await startFakeHttpServer({
    eras: ['modern'],
    lists: { tools: [{ name: 'Foreign', inputSchema: { type: 'object' } }] },
  });
  closers.push(server.kill);
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(
    file,
    `version: 1
listen: { port: 0 }
admin: { port: 0 }
telemetry: { baggage: [team] }
services:
${services}  foreign: { address: ${server.url} }
`,
  );
  const { config } = await loadConfig(file);
  gateway = await startGateway({ config, log: pino({ level: 'silent' }) });
  closers.push(gateway.close);
  await vi.waitFor(() => expect(gateway.toolCounts().size).toBe(3), { timeout: 10_000 });
  token = await gateway.mintRunToken(['*']);
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

async function call(tool: string): Promise<unknown> {
  const response = await fetch(new URL('/mcp/call', gateway.mcpUrl), {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
      baggage: 'secret=planted,team=blog;owner=ada',
    },
    body: JSON.stringify({ tool, input: {} }),
  });
  return ((await response.json()) as { result: unknown }).result;
}

test('of the baggage of a caller the keys that are named go to services, and on to those that they call', async () => {
  expect(await call('first.Echo.Tell')).toEqual({ baggage: 'team=blog;owner=ada' });
  expect(await call('first.Echo.Ask')).toEqual({ baggage: 'team=blog;owner=ada' });
});

test('and to servers that others wrote, in `_meta`; nothing else of it goes anywhere', async () => {
  await call('foreign.Foreign');
  const sent = server.received.map(({ headers, body }) => JSON.stringify(headers) + body).join('\n');
  expect(sent).toContain('"baggage":"team=blog;owner=ada"');
  expect(sent).not.toContain('planted');
});
