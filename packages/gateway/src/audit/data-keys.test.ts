import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { JsonText } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DataKeys, dataKeysPath, openDataKeys, readDataKey } from './data-keys.ts';
import { openAuditLog } from './log.ts';
import { openSealed } from './reader.ts';
import { answered, logFolder, silent, someKeys } from './record.fuzz.ts';
import { searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

const dayMs = 86_400_000;
const timeMs = Date.UTC(2027, 0, 2, 3);
const acme = { tenant: 'acme', timeMs };

const keys = someKeys();
let place = logFolder();
beforeEach(() => {
  place = logFolder();
});
afterEach(() => place.remove());

describe('data keys', () => {
  let opened: DataKeys | undefined;
  const open = (): DataKeys => {
    opened?.close();
    opened = openDataKeys(place.path, keys.seal);
    return opened;
  };
  afterEach(() => {
    opened?.close();
    opened = undefined;
  });
  const bytesOf = ({ key }: { key: { export(): Buffer } }) => key.export().toString('hex');
  const made = (owners: readonly (typeof acme | { tenant: undefined; timeMs: number })[]) => {
    const dataKeys = open();
    const found = owners.map((owner) => dataKeys.keyFor(owner));
    dataKeys.flush();
    return found;
  };

  it('are one for no tenant and one for each tenant, a UTC day each, and the same when asked for again', () => {
    const tenants = [undefined, '', 'null', 'acme', '\ud800\0'];
    const owners = tenants.flatMap((tenant) => [0, dayMs].map((after) => ({ tenant, timeMs: after }) as typeof acme));
    const first = made(owners).map(bytesOf);
    expect(new Set(first).size).toBe(10);
    expect(made(owners).map(bytesOf)).toEqual(first);
    expect(made([{ tenant: '', timeMs: dayMs - 1 }]).map(bytesOf)).toEqual([first[2]]);
  });

  it('open for their owner and sealing key alone, and lie there wrapped, for nobody else to read', () => {
    const [key] = made([acme]);
    expect(bytesOf({ key: readDataKey({ path: place.path, seal: keys.seal }, key!.id, acme) })).toBe(bytesOf(key!));
    const refused = [
      { owner: { ...acme, tenant: 'other' } },
      { owner: { ...acme, timeMs: 0 } },
      { seal: someKeys().seal },
    ];
    for (const { owner = acme, seal = keys.seal } of refused) {
      expect(() => readDataKey({ path: place.path, seal }, key!.id, owner)).toThrow();
    }
    expect(everything().includes(key!.key.export())).toBe(false);
    for (const name of readdirSync(place.folder)) expect(statSync(join(place.folder, name)).mode & 0o777).toBe(0o600);
  });

  it('are not used before they are on the disk', () => {
    const dataKeys = open();
    const lost = dataKeys.keyFor(acme);
    dataKeys.discard();
    const kept = dataKeys.keyFor(acme);
    dataKeys.flush();
    expect(kept.id).not.toEqual(lost.id);
    expect(() => readDataKey({ path: place.path, seal: keys.seal }, lost.id, acme)).toThrow('not in');
    expect(made([acme])[0]!.id).toEqual(kept.id);
  });

  it('leave nothing behind when they are destroyed, and others alone', () => {
    const owners = [
      acme,
      { ...acme, timeMs: timeMs - dayMs },
      { ...acme, tenant: 'other' },
      { tenant: undefined, timeMs },
    ];
    const found = made(owners);
    const wrapped = found.map(({ id }) => wrappedOf(id));
    for (const bytes of wrapped) expect(everything().includes(bytes)).toBe(true);
    expect(opened!.erase({ tenant: 'acme', day: '2027-01-02' }, 5)).toBe(1);
    expect(wrapped.map((bytes) => everything().includes(bytes))).toEqual([false, true, true, true]);
    const from = { path: place.path, seal: keys.seal };
    expect(() => readDataKey(from, found[0]!.id, acme)).toThrow('was destroyed at 1970-01-01T00:00:00.005Z');
    expect(opened!.erase({ tenant: 'acme', day: '2027-01-02' }, 6)).toBe(0);
    expect(opened!.keyFor(acme).id).not.toEqual(found[0]!.id);
    opened!.flush();
    expect(opened!.erase({ tenant: 'acme', before: '2027-01-02' }, 7)).toBe(1);
    expect(opened!.erase({ tenant: null, before: '2027-01-03' }, 7)).toBe(1);
    expect(wrapped.map((bytes) => everything().includes(bytes))).toEqual([false, false, true, false]);
  });

  it('leave nothing behind even when the process dies before it has cleaned up', () => {
    const journal = `${dataKeysPath(place.path)}-journal`;
    made([acme]);
    opened!.close();
    opened = undefined;
    writeFileSync(journal, Buffer.concat([Buffer.alloc(512), Buffer.from('the page as it was')]));
    open();
    expect(everything().includes('the page as it was')).toBe(false);
  });

  const wrappedOf = (id: Buffer): Buffer => {
    const db = new DatabaseSync(dataKeysPath(place.path), { readOnly: true });
    try {
      return Buffer.from(db.prepare('SELECT wrapped FROM data_keys WHERE id = ?').get(id)?.wrapped as Uint8Array);
    } finally {
      db.close();
    }
  };
});

/** All bytes of all files in the folder. */
function everything(): Buffer {
  return Buffer.concat(readdirSync(place.folder).map((name) => readFileSync(join(place.folder, name))));
}

describe('erasing from the log', () => {
  const argumentsText = '{"title":"x"}' as JsonText;

  it('makes one day of one tenant unreadable, and changes nothing that is verified', async () => {
    const log = await openAuditLog({ path: place.path, keys, log: silent });
    const tenants = ['acme', 'other', undefined];
    const records = tenants.flatMap((tenant) =>
      [timeMs, timeMs + dayMs].map((at) => answered({ timeMs: at, argumentsText, ...(tenant && { tenant }) })),
    );
    await Promise.all(records.map((record) => log.append(record)));
    const before = await searchAudit(place.path);
    await expect(log.erase({ tenant: 'acme', day: '2027-01-02' })).resolves.toBe(1);
    await log.append(answered({ timeMs, tenant: 'acme', argumentsText }));
    await log.close();
    await expect(log.erase({ tenant: 'acme', day: '2027-01-02' })).rejects.toThrow('gone');
    const rows = (await searchAudit(place.path)).reverse();
    expect(rows.slice(0, 6)).toEqual(before.reverse());
    const opened = await Promise.all(
      rows.map((row) =>
        openSealed(row, { ...keys, path: place.path }).then(
          (sealed) => sealed?.argumentsText,
          (error: Error) => error.name,
        ),
      ),
    );
    // The seventh came after the erasure: its key is a new one.
    expect(opened).toEqual(['DataKeyDestroyed', ...Array.from({ length: 6 }, () => argumentsText)]);
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 7, findings: [] });
  });

  it('goes on with the keys that were there when the log is opened again', async () => {
    for (let times = 0; times < 2; times++) {
      const log = await openAuditLog({ path: place.path, keys, log: silent });
      await log.append(answered({ timeMs, argumentsText }));
      await log.close();
    }
    const ids = (await searchAudit(place.path)).map(({ sealed }) =>
      Buffer.from(sealed!.subarray(1, 17)).toString('hex'),
    );
    expect(ids[0]).toBe(ids[1]);
  });
});
