import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminCall, createLogger, loadConfig, startGateway } from '@sallyport/gateway';
import { expect, it, onTestFinished } from 'vitest';

/** A server in one file: tells its environment to whoever asks, and says it all to its standard error too. */
const program = `
const answers = {
  'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, _meta: {} },
  'tools/list': { tools: [{ name: 'names', inputSchema: { type: 'object' } }] },
  'tools/call': { content: [{ type: 'text', text: Object.keys(process.env).sort().join(' ') }] },
};
console.error('started with ' + process.env.FILES_TOKEN);
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line);
  const result = answers[method];
  const more = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
  const answer = result ? { result: { ...more, ...result } } : { error: { code: -32601, message: 'none' } };
  if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
});
`;

it('gives a program the secrets that the configuration names, and nothing else of its own, and repeats none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-stdio-'));
  const secret = 'a-secret-of-the-files-server';
  writeFileSync(join(folder, 'server.cjs'), program);
  writeFileSync(join(folder, 'token'), `${secret}\n`, { mode: 0o600 });
  process.env.SALLYPORT_TEST_OTHER = 'the-secret-of-somebody-else';
  const config = {
    ...{ version: 1, listen: { port: 0 }, admin: { port: 0 } },
    services: {
      files: {
        stdio: [process.execPath, join(folder, 'server.cjs')],
        env: { LEVEL: 'info', FILES_TOKEN: { file: 'token' } },
      },
    },
  };
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(file, JSON.stringify(config));
  let logged = '';
  const destination = {
    write: (line: string) => {
      logged += line;
    },
  };
  const log = createLogger({ level: 'trace', destination });
  const gateway = await startGateway({ config: (await loadConfig(file)).config, log });
  onTestFinished(async () => {
    await gateway.close();
    delete process.env.SALLYPORT_TEST_OTHER;
    rmSync(folder, { recursive: true });
  });
  while (gateway.toolCounts().get('files') !== 1) await sleep(20);
  const target = { socketPath: gateway.adminSocket };
  const made = await adminCall(target, 'tokens.create', { args: { account: 'alice', kind: 'person', scopes: ['*'] } });
  const response = await fetch(`${gateway.mcpUrl}/call`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${(made as { token: string }).token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ tool: 'files.names', input: {} }),
  });
  const names = await response.text();
  expect(names).toContain('FILES_TOKEN');
  expect(names).toContain('LEVEL');
  expect(names).not.toContain('SALLYPORT');
  expect(logged).toContain('started with');
  expect(logged).not.toContain(secret);
});
