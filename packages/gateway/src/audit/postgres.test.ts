import { noPostgres, type PostgresServer, startPostgres } from '@sallyport/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuditLog } from './log.ts';
import { placeIn } from './postgres.fuzz.ts';
import { auditLogs, openSealed } from './reader.ts';
import { answered, silent, someKeys } from './record.fuzz.ts';
import { findAudit, searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

const dayMs = 86_400_000;

describe.skipIf(noPostgres !== undefined)('audit logs in one PostgreSQL database', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  /** Two gateways, each with its own log. */
  const two = async () => {
    const url = await server.createDatabase();
    const keys = someKeys();
    const places = [placeIn(url, 'one'), placeIn(url, 'two')] as const;
    const [one, other] = await Promise.all(places.map(({ path }) => openAuditLog({ path, keys, log: silent })));
    if (one === undefined || other === undefined) throw new Error('there are two');
    const close = async () => void (await Promise.all([one.close(), other.close()]));
    const all = { kind: 'postgres', access: places[0].path.access } as const;
    return { keys, places, one, other, close, all };
  };

  it('are written beside each other, found together in the order of their calls, and verified one by one', async () => {
    const { keys, places, one, other, close, all } = await two();
    for (let at = 0; at < 40; at++) {
      await (at % 3 === 0 ? one : other).append(answered({ timeMs: dayMs + at, subject: `user-${at % 2}` }));
    }
    await close();
    expect((await auditLogs(all)).toSorted()).toEqual(places.map(({ path }) => path.origin).toSorted());
    const times: number[] = [];
    let before: string | undefined;
    do {
      const page = await findAudit(all, { subject: 'user-0' }, { limit: 7, ...(before !== undefined && { before }) });
      times.push(...page.rows.map(({ record }) => (record.kind === 'refusals' ? 0 : record.timeMs - dayMs)));
      before = page.next;
    } while (before !== undefined);
    expect(times).toEqual(Array.from({ length: 20 }, (_, at) => 38 - 2 * at));
    await expect(verifyAudit(all)).rejects.toThrow('there are several audit logs');
    for (const { path } of places) await expect(verifyAudit(path)).resolves.toMatchObject({ ok: true });
    const [row] = await searchAudit(all, {}, { limit: 1 });
    expect(row?.origin).toBe('sallyport/audit/one');
    expect(await openSealed(row!, { path: all, seal: keys.seal })).toMatchObject({
      argumentsText: '{"title":"Hello"}',
    });
  });

  it('lose the keys of a tenant and day in all of them, whichever gateway is asked', async () => {
    const { keys, one, other, close, all } = await two();
    const record = () => answered({ tenant: 'acme', timeMs: dayMs });
    await one.append(record());
    await other.append(record());
    await expect(one.erase({ tenant: 'acme', day: '1970-01-02' })).resolves.toBe(2);
    // The other one still has its key in mind, and must not use it.
    await other.append(record());
    await close();
    const rows = await searchAudit(all, { subject: 'ada' });
    const opened = await Promise.all(
      rows.map(({ seq, origin, ...row }) =>
        openSealed({ seq, ...row }, { path: all, seal: keys.seal }).then(
          () => `${origin?.at(-1)}${seq} opens`,
          (error: Error) => `${origin?.at(-1)}${seq} ${error.name}`,
        ),
      ),
    );
    expect(opened.toSorted()).toEqual(['e1 DataKeyDestroyed', 'o1 DataKeyDestroyed', 'o2 opens']);
  });

  it('refuse what the server has no room for, and go on where they were when it has', async () => {
    const { places, one, close } = await two();
    await one.append(answered());
    const full = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'";
    await places[0].change(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${full}; END $$;
      CREATE TRIGGER no_room BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_room()`);
    await expect(one.append(answered({ auditRequired: true }))).rejects.toMatchObject({
      why: 'failed',
      message: expect.stringContaining('No space left'),
    });
    await places[0].change('DROP TRIGGER no_room ON audit');
    await one.append(answered({ auditRequired: true }));
    expect(one.stats()).toMatchObject({ state: 'up', seq: 2, rejected: 1, restarts: 0 });
    await close();
    await expect(verifyAudit(places[0].path)).resolves.toMatchObject({ ok: true, rows: 2 });
  });

  it('refuse what cannot be written while the server is away, lose nothing they acknowledged, and go on by themselves', {
    timeout: 60_000,
  }, async () => {
    const { places, one, close, all } = await two();
    const acknowledged: string[] = [];
    const append = async () => {
      const record = answered({ auditRequired: true });
      await one.append(record);
      acknowledged.push(record.callId);
    };
    await append();
    await server.stop('immediate');
    await expect(append()).rejects.toMatchObject({ name: 'AuditLogUnavailable' });
    await expect.poll(() => one.stats().state, { timeout: 10_000 }).toBe('down');
    await expect(append()).rejects.toMatchObject({ why: 'down' });
    expect(one.stats().rejected).toBeGreaterThanOrEqual(2);
    await server.start();
    await expect.poll(() => one.stats().state, { timeout: 20_000 }).toBe('up');
    await append();
    await close();
    const found = await searchAudit(all);
    const ids = new Set(found.map(({ record }) => (record.kind === 'refusals' ? '' : record.callId)));
    expect(acknowledged.filter((id) => !ids.has(id as never))).toEqual([]);
    for (const { path } of places) await expect(verifyAudit(path)).resolves.toMatchObject({ ok: true });
  });
});
