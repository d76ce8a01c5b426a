import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startGateway, type TestGateway, trialService, writeConfig } from './support/gateway.ts';
import { endAll, temporaryFolder } from './support/program.ts';

afterEach(endAll);

/** A file that may not grow beyond its limit fails as one on a full disk does. The signal that comes with it is not for us. */
const env = { NODE_OPTIONS: `--import=data:text/javascript,process.on('SIGXFSZ',()=>{})` };
const prlimit = '/usr/bin/prlimit';
const limitFiles = ({ program }: TestGateway, bytes: number | 'unlimited') =>
  execFileSync(prlimit, ['--pid', String(program.pid), `--fsize=${bytes}:`]);

async function call({ mcp, token }: TestGateway, tool: string): Promise<{ status: number; body: any }> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ tool, input: { text: 'x'.repeat(20_000) } });
  const answer = await fetch(new URL('/mcp/call', mcp), { method: 'POST', headers, body });
  return { status: answer.status, body: await answer.json() };
}

test.skipIf(!existsSync(prlimit))(
  'a gateway whose disk is full refuses calls and says why, keeps what it answered, and goes on when there is room',
  { timeout: 60_000 },
  async () => {
    const config = `tools: { 'trials.Trial.Echo': { auditRequired: true } }\nservices:\n${trialService('trials')}\n`;
    const gateway = await startGateway('run', writeConfig(temporaryFolder(), config), { env });
    const answered: string[] = [];
    const echo = async () => {
      const { status, body } = await call(gateway, 'trials.Trial.Echo');
      if (status === 200) answered.push(body.trace_id);
      return { status, body };
    };
    expect((await echo()).status).toBe(200);
    limitFiles(gateway, statSync(join(gateway.data, 'audit.db-wal')).size + 200_000);
    let last = await echo();
    for (let calls = 0; last.status === 200 && calls < 100; calls++) last = await echo();
    expect(last).toMatchObject({ status: 503, body: { error: { reason: 'audit_unavailable' } } });
    for (let calls = 0; calls < 5; calls++) expect((await echo()).status).toBe(503);
    const stats = await gateway.operate('gateway.status');
    expect(stats.audit.rejected).toBeGreaterThan(5);

    limitFiles(gateway, 'unlimited');
    await expect.poll(async () => (await echo()).status, { timeout: 20_000 }).toBe(200);
    expect(answered.length).toBeGreaterThan(2);
    const recorded = new Set<string>((await gateway.records({}, 10_000)).map(({ callId }) => callId));
    expect(answered.filter((id) => !recorded.has(id))).toEqual([]);
    expect((await gateway.verify()).ok).toBe(true);
  },
);
