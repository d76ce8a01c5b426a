import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Era } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type UpstreamUnderTest, upstreamContract } from '../testing/contract.ts';
import { callUpstream, contractTool } from '../testing/contract-call.ts';
import { createMcpService } from './service.ts';
import { closeServers, server, serverCommand } from './testing/stdio.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const folders: string[] = [];

afterEach(async () => {
  await closeServers();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function start(era: Era, isolation: 'shared' | 'caller'): Promise<UpstreamUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'stdio-'));
  folders.push(folder);
  const read = (file: string): string => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const command = serverCommand('contract-stdio-server.ts', folder, era);
  const { begin, close } = server({ command, isolation, drainMs: 100 });
  const { upstream, manifest } = createMcpService({
    ...{ service: 'contract', kind: 'mcp-stdio', instance: 'contract', begin, close },
    clientInfo: { name: 'sallyport', version: '0.1.0' },
    log: pino({ level: 'silent' }),
    connectWaitMs: 200,
    perCaller: isolation === 'caller',
  });
  await eventually(() => expect(manifest()).toBeDefined());
  // A caller's process takes longer to start than the contract has time for.
  await callUpstream(upstream, { tool: contractTool('contract', 'Contract.Process') });
  writeFileSync(join(folder, 'calls'), '');
  return {
    upstream,
    tool: (name) => contractTool('contract', name),
    arrived: () => read('calls').split('\n').slice(0, -1),
    kill() {
      // It would be started again.
      writeFileSync(join(folder, 'dead'), '');
      process.kill(Number(read('pid')), 'SIGKILL');
    },
    cancelled: () => read('cancelled').length,
    close: () => upstream.close(),
  };
}

describe.each([
  ['modern', 'shared'],
  ['legacy', 'shared'],
  ['modern', 'caller'],
  ['legacy', 'caller'],
] as const)('an MCP server over stdio of the %s era (%s)', (era, isolation) => {
  for (const { name, run } of upstreamContract) it(name, () => run(() => start(era, isolation)));
});

it.each(['modern', 'legacy'] as const)(
  'callers have processes of their own under isolation, in the %s era',
  async (era) => {
    const { upstream, tool, close } = await start(era, 'caller');
    const pidFor = async (conversation: string): Promise<string> => {
      const client = { conversation };
      return (await callUpstream(upstream, { tool: tool('Contract.Process'), client })).text;
    };
    const pids = await Promise.all(['ada', 'bob', 'ada'].map(pidFor));
    expect(new Set(pids).size).toBe(2);
    expect(pids[0]).toBe(pids[2]);
    await close();
  },
);
