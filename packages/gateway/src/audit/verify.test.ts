import { randomBytes } from 'node:crypto';
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from './check.ts';
import { checkpointPath } from './checkpoint-file.ts';
import { openAuditLog } from './log.ts';
import { createSigner, noteText } from './note.ts';
import { auditVerifierKey } from './reader.ts';
import { answered, logFolder, silent, someKeys } from './record.fuzz.ts';
import { type Row, rowHash } from './row.ts';
import { verifyAudit } from './verify.ts';

const keys = someKeys();
const rows = 12;

const trusted = async (path: string) => ({ keys: [await auditVerifierKey(path, keys)] });

async function writeLog(path: string, ours = keys): Promise<void> {
  const log = await openAuditLog({ path, keys: ours, log: silent });
  for (let i = 0; i < rows; i++) await log.append(answered({ subject: `user-${i}` }));
  await log.close();
}

const get = (db: DatabaseSync, seq: number) =>
  db.prepare('SELECT * FROM audit WHERE seq = ?').get(seq) as unknown as Row;
const move = (db: DatabaseSync, from: number, to: number) =>
  db.prepare('UPDATE audit SET seq = ? WHERE seq = ?').run(to, from);
const rehash = (db: DatabaseSync, seq: number) => {
  const { prev_hash: prevHash, record, sealed } = get(db, seq);
  db.prepare('UPDATE audit SET hash = ? WHERE seq = ?').run(rowHash({ prevHash, seq, record, sealed }), seq);
};
const forge = (db: DatabaseSync, seq: number) => {
  const before = get(db, seq - 1);
  db.prepare(
    `INSERT INTO audit SELECT ?, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id, record, sealed, ?, hash
     FROM audit WHERE seq = ?`,
  ).run(seq, before.hash, seq - 1);
  rehash(db, seq);
};
const edit = (db: DatabaseSync, seq: number) =>
  db.prepare(`UPDATE audit SET record = replace(record, '"answered"', '"refused"') WHERE seq = ?`).run(seq);

type Tampering = readonly [name: string, act: (db: DatabaseSync) => unknown, found: readonly Partial<Finding>[]];

const tamperings: readonly Tampering[] = [
  ['a record is edited', (db) => edit(db, 5), [{ seq: 5, kind: 'changed' }]],
  [
    'a record is edited together with its index column',
    (db) =>
      db.exec(`UPDATE audit SET record = replace(record, 'user-4', 'mallory'), subject = 'mallory' WHERE seq = 5`),
    [{ seq: 5, kind: 'changed' }],
  ],
  [
    'an index column is edited',
    (db) => db.exec(`UPDATE audit SET subject = 'mallory' WHERE seq = 5`),
    [{ seq: 5, kind: 'index_mismatch', detail: 'subject disagree with the record' }],
  ],
  [
    'a time is edited',
    (db) => db.exec('UPDATE audit SET time_ms = time_ms + 1 WHERE seq = 12'),
    [{ seq: 12, kind: 'index_mismatch' }],
  ],
  [
    'sealed bytes are edited',
    (db) => {
      const sealed = Buffer.from(get(db, 3).sealed ?? []);
      sealed[20]! ^= 1;
      db.prepare('UPDATE audit SET sealed = ? WHERE seq = 3').run(sealed);
    },
    [{ seq: 3, kind: 'changed' }],
  ],
  [
    'sealed bytes are removed',
    (db) => db.exec('UPDATE audit SET sealed = NULL WHERE seq = 3'),
    [{ seq: 3, kind: 'changed' }],
  ],
  [
    'sealed bytes are emptied',
    (db) => db.exec(`UPDATE audit SET sealed = x'' WHERE seq = 3`),
    [{ seq: 3, kind: 'unreadable' }],
  ],
  [
    'a hash is edited',
    (db) => db.exec('UPDATE audit SET hash = zeroblob(32) WHERE seq = 6'),
    [{ seq: 6, kind: 'changed' }],
  ],
  ['a hash is cut', (db) => db.exec(`UPDATE audit SET hash = x'00' WHERE seq = 6`), [{ seq: 6, kind: 'unreadable' }]],
  [
    'a link is edited',
    (db) => db.exec('UPDATE audit SET prev_hash = zeroblob(32) WHERE seq = 6'),
    [{ seq: 6, kind: 'changed' }],
  ],
  [
    'rows in the middle are deleted',
    (db) => db.exec('DELETE FROM audit WHERE seq IN (4, 7, 8)'),
    [
      { seq: 4, kind: 'missing', detail: 'the row is missing' },
      { seq: 7, kind: 'missing', detail: 'rows 7 to 8 are missing' },
    ],
  ],
  ['the first row is deleted', (db) => db.exec('DELETE FROM audit WHERE seq = 1'), [{ seq: 1, kind: 'missing' }]],
  [
    'a row is deleted and the gap closed',
    (db) => {
      db.exec('DELETE FROM audit WHERE seq = 4');
      for (let seq = 5; seq <= rows; seq++) move(db, seq, seq - 1);
    },
    [
      { seq: 4, kind: 'reordered', detail: 'it was written as row 5' },
      { seq: 12, kind: 'truncated' },
    ],
  ],
  [
    'the tail is deleted',
    (db) => db.exec('DELETE FROM audit WHERE seq > 9'),
    [{ seq: 10, kind: 'truncated', detail: 'rows 10 to 12 are gone from the end: a checkpoint in the log has them' }],
  ],
  ['everything is deleted', (db) => db.exec('DELETE FROM audit'), [{ seq: 1, kind: 'truncated' }]],
  [
    'two rows are swapped',
    (db) => {
      move(db, 4, 100);
      move(db, 9, 4);
      move(db, 100, 9);
    },
    [
      { seq: 4, kind: 'reordered', detail: 'it was written as row 9' },
      { seq: 9, kind: 'reordered', detail: 'it was written as row 4' },
    ],
  ],
  [
    'a row is inserted and the later ones moved up',
    (db) => {
      for (let seq = rows; seq >= 5; seq--) move(db, seq, seq + 1);
      forge(db, 5);
    },
    [
      { seq: 5, kind: 'changed', detail: 'a row was put in its place' },
      { seq: 6, kind: 'reordered' },
      { seq: 13, kind: 'changed' },
    ],
  ],
  [
    'a row is edited and given a matching hash',
    (db) => {
      edit(db, 5);
      rehash(db, 5);
      db.exec(`UPDATE audit SET outcome = 'refused' WHERE seq = 5`);
    },
    [{ seq: 5, kind: 'changed', detail: 'row 6 was chained to another row than this one' }],
  ],
  [
    'everything from an edited row on is hashed and chained anew',
    (db) => {
      edit(db, 5);
      db.exec(`UPDATE audit SET outcome = 'refused' WHERE seq = 5`);
      rehash(db, 5);
      for (let seq = 6; seq <= rows; seq++) {
        db.prepare('UPDATE audit SET prev_hash = ? WHERE seq = ?').run(get(db, seq - 1).hash, seq);
        rehash(db, seq);
      }
    },
    [{ seq: 1, kind: 'changed', detail: expect.stringMatching(/^among rows 1 to 12 are others than a checkpoint/) }],
  ],
  [
    'a well-chained row is added after the end',
    (db) => forge(db, 13),
    [{ seq: 13, kind: 'changed', detail: 'it was added after the log had been closed' }],
  ],
  [
    'two rows carry the same number',
    (db) => {
      db.exec('CREATE TABLE loose AS SELECT * FROM audit; DROP TABLE audit; ALTER TABLE loose RENAME TO audit');
      db.exec('INSERT INTO audit SELECT * FROM audit WHERE seq = 7');
    },
    [{ seq: 7, kind: 'changed', detail: 'two rows carry this number' }],
  ],
  [
    'a record is no longer JSON but well hashed',
    (db) => {
      db.exec(`UPDATE audit SET record = '{' WHERE seq = 12`);
      rehash(db, 12);
    },
    [{ seq: 12, kind: 'unreadable' }],
  ],
  [
    'the id of the log is edited',
    (db) => db.exec(`UPDATE meta SET log_id = 'x'`),
    [{ seq: 1, kind: 'changed', detail: 'it is not the first row of this log' }],
  ],
];

describe('verifying a log', () => {
  // Written once and closed; each test gets a copy.
  const original = logFolder();
  let place = original;
  beforeAll(() => writeLog(original.path));
  afterAll(() => original.remove());
  beforeEach(() => {
    place = logFolder();
    cpSync(original.folder, place.folder, { recursive: true });
  });
  afterEach(() => place.remove());

  it('finds nothing in a log that nobody touched, with keys or without', async () => {
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows, findings: [], isKeyTrusted: false });
    const verified = await verifyAudit(place.path, await trusted(place.path));
    expect(verified).toMatchObject({ ok: true, rows, findings: [], isKeyTrusted: true, checkpoints: 2 });
  });

  it.each(tamperings)('names the row when %s', async (_name, act, found) => {
    const db = new DatabaseSync(place.path);
    act(db);
    db.close();
    const { ok, findings } = await verifyAudit(place.path, await trusted(place.path));
    expect(ok).toBe(false);
    expect(findings).toHaveLength(found.length);
    expect(findings).toMatchObject(found);
  });

  it('finds a changed byte wherever it is', async () => {
    const columns = ['record', 'sealed', 'prev_hash', 'hash'];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: rows }),
        fc.constantFrom(...columns),
        fc.nat(),
        async (seq, name, at) => {
          const copy = logFolder();
          copyFileSync(place.path, copy.path);
          copyFileSync(checkpointPath(place.path), checkpointPath(copy.path));
          const db = new DatabaseSync(copy.path);
          const value = get(db, seq)[name as 'record'] as string | Uint8Array;
          const bytes = Buffer.from(value);
          bytes[at % bytes.length]! ^= 1;
          const changed = typeof value === 'string' ? bytes.toString() : bytes;
          db.prepare(`UPDATE audit SET ${name} = ? WHERE seq = ?`).run(changed, seq);
          db.close();
          const { findings } = await verifyAudit(copy.path);
          expect(findings[0]?.seq).toBe(seq);
          copy.remove();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('finds that the database is that of another log', async () => {
    const other = logFolder();
    await writeLog(other.path);
    copyFileSync(other.path, place.path);
    const { findings } = await verifyAudit(place.path, await trusted(place.path));
    expect(findings).toMatchObject([{ seq: 1, kind: 'changed', detail: 'the checkpoint is of another log' }]);
    other.remove();
  });

  it('finds a checkpoint file that is gone, unreadable, changed, or of somebody with another key', async () => {
    const note = readFileSync(checkpointPath(place.path), 'utf8');
    writeFileSync(checkpointPath(place.path), note.replace('\n12\n', '\n11\n'));
    const forged = await verifyAudit(place.path, await trusted(place.path));
    expect(forged.findings.map(({ detail }) => detail)).toContainEqual(
      expect.stringMatching(/^the checkpoint: the signature of .* is wrong$/),
    );
    const stranger = createSigner(note.split('\n')[0] ?? '', randomBytes(32));
    writeFileSync(checkpointPath(place.path), stranger.sign(noteText(note)));
    const signed = await verifyAudit(place.path, await trusted(place.path));
    expect(signed.findings).toMatchObject([{ seq: 12, detail: 'the checkpoint: none of the given keys signed it' }]);
    writeFileSync(checkpointPath(place.path), 'nonsense');
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ findings: [{ kind: 'unreadable' }] });
    rmSync(checkpointPath(place.path));
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ findings: [{ seq: rows, kind: 'truncated' }] });
  });

  it('finds nothing wrong with a log that is being written', async () => {
    const log = await openAuditLog({ path: place.path, keys, log: silent });
    for (let round = 0; round < 20; round++) {
      const written = Promise.all(Array.from({ length: 50 }, () => log.append(answered())));
      await expect(verifyAudit(place.path, await trusted(place.path))).resolves.toMatchObject({ ok: true });
      await written;
    }
    await log.close();
  });
});
