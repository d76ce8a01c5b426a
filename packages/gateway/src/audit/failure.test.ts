import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { killRepeatedly, startChild } from './kill.fuzz.ts';
import { openAuditLog } from './log.ts';
import { answered, logFolder, silent, someKeys } from './record.fuzz.ts';
import { searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

describe('an audit log whose process is killed', () => {
  it('has every record that was acknowledged, and verifies', { timeout: 120_000 }, async () => {
    const { kills, acknowledged, missing, verifications } = await killRepeatedly(3);
    expect(kills).toBe(3);
    expect(missing).toEqual([]);
    expect(verifications.map(({ findings }) => findings)).toEqual(verifications.map(() => []));
    expect(acknowledged).toBeGreaterThan(30);
  });
});

describe('an audit log without room on its disk', () => {
  it('refuses what it cannot write and keeps what it acknowledged', { timeout: 60_000 }, async () => {
    const place = logFolder();
    const key = randomBytes(32).toString('hex');
    // No file of the process may grow beyond 400 KB; the signal that comes with it is ignored.
    const command = ['bash', '-c', 'trap "" XFSZ; ulimit -f 400; exec "$@"', 'limited'];
    const { child, closed, said, acknowledged } = startChild({ path: place.path, key, command });
    await vi.waitFor(() => expect(said().filter((line) => line === 'no failed').length).toBeGreaterThan(20), 30_000);
    child.stdin?.end();
    await closed;
    const kept = acknowledged();
    const rows = await searchAudit(place.path, {}, { limit: 100_000 });
    expect(rows.map(({ record }) => record.kind !== 'refusals' && record.callId).toSorted()).toEqual(kept.toSorted());
    expect((await verifyAudit(place.path)).findings).toEqual([]);
    place.remove();
  });
});

describe('a process with nothing else to do', () => {
  const endOf = async (records: string) => {
    const url = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
    // Its own to remove: while a process ends, the writer may still be making files.
    const place = logFolder();
    const program = `
      const { openAuditLog } = await import(${url('./log.ts')});
      const { answered, stranger, silent, someKeys } = await import(${url('./record.fuzz.ts')});
      const log = await openAuditLog({ path: ${JSON.stringify(place.path)}, keys: someKeys(), log: silent });
      for (const record of ${records}) log.append(record).then(() => process.stdout.write(record.outcome + ' '));`;
    const args = ['--conditions=sallyport-source', '--input-type=module', '-e', program];
    try {
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return stdout.trim();
    } finally {
      place.remove();
    }
  };

  it('lives until the records of known callers are written, and not for strangers', async () => {
    await expect(endOf('[stranger(), answered()]')).resolves.toContain('answered');
    await expect(endOf('[answered(), answered()]')).resolves.toBe('answered answered');
    await expect(endOf('[]')).resolves.toBe('');
  });
});

describe('an audit log whose writer dies', () => {
  it('rejects what was under way and what comes, and writes again when a new writer is there', async () => {
    const place = logFolder();
    const keys = someKeys();
    const workers: Worker[] = [];
    const notice = (worker: Worker) => workers.push(worker);
    process.on('worker', notice);
    const log = await openAuditLog({ path: place.path, keys, log: silent });
    await log.append(answered());
    const dead = workers[0]!.terminate();
    const under = await Promise.allSettled([log.append(answered()), log.append(answered())]);
    expect(under.map((each) => each.status === 'rejected' && each.reason.why)).toEqual(['down', 'down']);
    await dead;
    await expect(log.append(answered())).rejects.toMatchObject({ why: 'down' });
    expect(log.stats().state).toBe('down');
    await vi.waitFor(() => expect(log.stats()).toMatchObject({ state: 'up', restarts: 1 }), 10_000);
    await log.append(answered());
    await log.close();
    process.off('worker', notice);
    const { ok, rows } = await verifyAudit(place.path);
    expect(ok).toBe(true);
    expect(rows).toBeGreaterThanOrEqual(2);
    place.remove();
  });

  it('cannot be opened where no file can be', async () => {
    await expect(openAuditLog({ path: '/nowhere/audit.db', keys: someKeys(), log: silent })).rejects.toThrow();
  });
});
