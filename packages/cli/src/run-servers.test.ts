import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli, startCli, temporaryFolder } from './cli.fixture.ts';
import { untilServersAnswer } from './run/servers.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const server = `
import { createInterface } from 'node:readline';
const answers = {
  initialize: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'slow', version: '1.0.0' } },
  'tools/list': { tools: [{ name: 'write', description: 'Writes.', inputSchema: { type: 'object' } }] },
  'tools/call': { content: [{ type: 'text', text: 'written' }] },
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  if (id === undefined) continue;
  const result = answers[method];
  const answer = result === undefined ? { error: { code: -32601, message: 'no such method' } } : { result };
  setTimeout(() => console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer })), 100);
}
`;

test('the token of run has the scopes of a server that took its time to say what it offers', async () => {
  writeFileSync(join(folder, 'server.mjs'), server);
  writeFileSync(
    join(folder, 'sallyport.yaml'),
    `version: 1
services:
  slow: { stdio: ['${process.execPath}', server.mjs] }
tools:
  slow.write: { scopes: ['slow:write'] }
`,
  );
  const run = startCli(['run', '--json', '--no-watch', '--port', '0', '--admin-port', '0'], { cwd: folder });
  try {
    const ready = await run.ready();
    expect(ready.services).toMatchObject([{ name: 'slow', instances: 1 }]);
    const env = { SALLYPORT_URL: ready.mcp, SALLYPORT_TOKEN: ready.token };
    expect(await cli(['tools', 'call', 'slow.write'], { cwd: folder, env })).toMatchObject({ code: 0 });
    const mounted = { ...env, SALLYPORT_URL: `${ready.mcp}/slow` };
    const elsewhere = await cli(['tools', 'list'], { cwd: folder, env: mounted });
    expect(elsewhere.err).toContain('not of one service or view');
  } finally {
    run.child.kill('SIGTERM');
    await run.ended();
  }
});

test('one that does not answer is named, and waited for no longer than that', async () => {
  const gateway = { services: () => [], onChange: () => () => undefined };
  const services = { far: { kind: 'mcp' }, own: { kind: 'command' } } as never;
  expect(await untilServersAnswer(gateway, { services }, 5)).toEqual(['far']);
});
