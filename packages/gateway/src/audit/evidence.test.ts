import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { AuditRecord } from '@sallyport/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpointPath } from './checkpoint-file.ts';
import { exportEvidence, verifyEvidence } from './evidence.ts';
import { openAuditLog } from './log.ts';
import { leafHash } from './merkle.ts';
import { createSigner, noteText } from './note.ts';
import { proveCall, verifyProof } from './proof.ts';
import { auditVerifierKey } from './reader.ts';
import { answered, collected, logFolder, silent, someKeys } from './record.fuzz.ts';
import { rowEntry, sealedDigest } from './row.ts';
import { verifyAudit } from './verify.ts';

const keys = someKeys();
const place = logFolder();
const witness = `${place.path}.witness`;
const day = 86_400_000;
const rows = 600;
const records: AuditRecord[] = [];
let key = '';

/** Three closings, so that there are checkpoints in the middle. */
beforeAll(async () => {
  for (const part of [0, 1, 2]) {
    const log = await openAuditLog({ path: place.path, keys, log: silent, witness });
    for (let i = 0; i < rows / 3; i++) {
      const record = answered({ subject: `user-${part}-${i}`, timeMs: part * day + i });
      records.push(record);
      await log.append(record);
    }
    await log.close();
  }
  key = await auditVerifierKey(place.path, keys);
});
afterAll(() => place.remove());

const secondDay = () => collected(exportEvidence(place.path, { sinceMs: day, untilMs: 2 * day }));
const trusting = () => ({ keys: [key] });

describe('exported evidence', () => {
  it('of a day is verified with the public key alone', async () => {
    const lines = await secondDay();
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ evidence: 1, from: 201, to: 400 });
    await expect(verifyEvidence(lines, trusting())).resolves.toMatchObject({
      ok: true,
      rows: 200,
      findings: [],
      checkpoints: 2,
    });
  });

  it('of the whole log is verified, and holds against the witness', async () => {
    const lines = await collected(exportEvidence(place.path));
    const verified = await verifyEvidence(lines, { keys: [key], witnesses: [witness] });
    expect(verified).toMatchObject({ ok: true, rows, findings: [] });
    expect(verified.witnessed).toBeGreaterThanOrEqual(3);
  });

  it('of a time in which nothing happened says so, and of a log that is empty too', async () => {
    const none = await collected(exportEvidence(place.path, { sinceMs: 50 * day }));
    await expect(verifyEvidence(none, trusting())).resolves.toMatchObject({ rows: 0 });
    const empty = logFolder();
    await (await openAuditLog({ path: empty.path, keys, log: silent })).close();
    const lines = await collected(exportEvidence(empty.path));
    const keysOfEmpty = [await auditVerifierKey(empty.path, keys)];
    await expect(verifyEvidence(lines, { keys: keysOfEmpty })).resolves.toMatchObject({ ok: true, rows: 0 });
    empty.remove();
  });
});

const seqOf = (line: string | undefined) => Number(/^\{"seq":(\d+)/.exec(line ?? '')?.[1]);
const at = (lines: readonly string[], seq: number) => lines.findIndex((line) => seqOf(line) === seq);

/** Makes a row's own hash right again, as somebody who knows the format would. */
function rehashed(line: string): string {
  const { seq, prev, record, sealed } = JSON.parse(line);
  const digest = sealedDigest(sealed === undefined ? null : Buffer.from(sealed, 'base64'));
  const hash = leafHash(rowEntry({ prevHash: Buffer.from(prev, 'hex'), seq, record: JSON.stringify(record) }, digest));
  return line.replace(/"hash":"[0-9a-f]+"/, `"hash":"${hash.toString('hex')}"`);
}

/** Chains everything from a row on anew. */
function rechained(lines: string[], from: number): string[] {
  let prev: string | undefined;
  return lines.map((line) => {
    if (!(seqOf(line) >= from)) return line;
    const linked = rehashed(prev === undefined ? line : line.replace(/"prev":"[0-9a-f]+"/, `"prev":"${prev}"`));
    prev = JSON.parse(linked).hash;
    return linked;
  });
}

const edit = (line: string) => line.replace(/"subject":"user-[^"]+"/, '"subject":"mallory"');
const change = (lines: string[], seq: number, by: (line: string) => string) =>
  lines.with(at(lines, seq), by(lines[at(lines, seq)] ?? ''));
const resigned = (line: string) => {
  const { checkpoint, ...rest } = JSON.parse(line);
  const stranger = createSigner(checkpoint.split('\n')[0], randomBytes(32));
  return `${JSON.stringify({ ...rest, checkpoint: stranger.sign(noteText(checkpoint)) })}\n`;
};

type Tampering = readonly [name: string, act: (lines: string[]) => string[], first: { seq: number; kind: string }];

const tamperings: readonly Tampering[] = [
  ['a record is edited', (lines) => change(lines, 250, edit), { seq: 250, kind: 'changed' }],
  [
    'a record is edited and its hash made right',
    (lines) => change(lines, 250, (line) => rehashed(edit(line))),
    { seq: 250, kind: 'changed' },
  ],
  [
    'a record is back-dated and everything after it chained anew',
    (lines) =>
      rechained(
        change(lines, 250, (line) => line.replace(/"timeMs":\d+/, '"timeMs":5')),
        250,
      ),
    { seq: 201, kind: 'changed' },
  ],
  ['a row is dropped', (lines) => lines.toSpliced(at(lines, 250), 1), { seq: 250, kind: 'missing' }],
  [
    'two rows are swapped',
    (lines) =>
      lines.with(at(lines, 250), lines[at(lines, 251)] ?? '').with(at(lines, 251), lines[at(lines, 250)] ?? ''),
    { seq: 250, kind: 'missing' },
  ],
  [
    'a row is inserted and the later ones moved and chained anew',
    (lines) => {
      const start = at(lines, 250);
      const twice = lines.toSpliced(start, 0, lines[start] ?? '');
      const moved = twice.map((line, index) =>
        index > start && seqOf(line) > 0 ? line.replace(/^\{"seq":\d+/, `{"seq":${seqOf(line) + 1}`) : line,
      );
      return rechained(moved, 250);
    },
    { seq: 201, kind: 'changed' },
  ],
  ['rows are cut off the end', (lines) => lines.toSpliced(at(lines, 390), 11), { seq: 390, kind: 'truncated' }],
  ['everything after a row is cut off', (lines) => lines.slice(0, at(lines, 300)), { seq: 300, kind: 'truncated' }],
  ['the beginning is cut off', (lines) => lines.toSpliced(1, 20), { seq: 201, kind: 'missing' }],
  [
    'all checkpoints are signed with another key',
    (lines) => lines.map((line) => (line.includes('"checkpoint"') ? resigned(line) : line)),
    { seq: 400, kind: 'changed' },
  ],
  [
    'sealed arguments are exchanged',
    (lines) => change(lines, 250, (line) => line.replace(/"sealed":"[^"]+"/, '"sealed":"AQID"')),
    { seq: 250, kind: 'changed' },
  ],
  [
    'what came before is exchanged',
    (lines) =>
      lines.with(
        0,
        (lines[0] ?? '').replace(/"left":\["./, (text) => text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A')),
      ),
    { seq: 201, kind: 'changed' },
  ],
  ['a line is not JSON', (lines) => change(lines, 250, () => '{\n'), { seq: 249, kind: 'unreadable' }],
  ['a row is added after the end', (lines) => [...lines, lines[at(lines, 400)] ?? ''], { seq: 400, kind: 'changed' }],
];

describe('tampering with exported evidence', () => {
  it.each(tamperings)('is found when %s', async (_name, act, first) => {
    const { ok, findings } = await verifyEvidence(act(await secondDay()), trusting());
    expect(ok).toBe(false);
    expect(findings[0]).toMatchObject(first);
  });

  it('is found when the log forks: the witness has another past', async () => {
    const fork = logFolder();
    copyFileSync(place.path, fork.path);
    const db = new DatabaseSync(fork.path);
    db.exec('DELETE FROM audit WHERE seq > 200; DELETE FROM nodes; DELETE FROM checkpoints WHERE size > 200');
    db.close();
    // Whoever holds the key can sign anything, so the copy with another future is as well signed as the log.
    const log = await openForked(fork.path, 200);
    for (let i = 0; i < 400; i++) await log.append(answered({ subject: 'mallory', timeMs: day + i }));
    await log.close();
    const lines = await collected(exportEvidence(fork.path, { sinceMs: day }));
    await expect(verifyEvidence(lines, trusting())).resolves.toMatchObject({ ok: true });
    const { ok, findings } = await verifyEvidence(lines, { keys: [key], witnesses: [witness] });
    expect(ok).toBe(false);
    expect(findings[0]).toMatchObject({ seq: 201, kind: 'changed' });
    await expect(verifyAudit(fork.path, { keys: [key] })).resolves.toMatchObject({ ok: true });
    await expect(verifyAudit(fork.path, { keys: [key], witnesses: [witness] })).resolves.toMatchObject({ ok: false });
    fork.remove();
  });

  it('is found when the end is cut off together with its checkpoints: the witness has more', async () => {
    const cut = logFolder();
    copyFileSync(place.path, cut.path);
    const db = new DatabaseSync(cut.path);
    const note = String(db.prepare('SELECT note FROM checkpoints WHERE size = 400').get()?.note);
    db.exec(
      'DELETE FROM audit WHERE seq > 400; DELETE FROM checkpoints WHERE size > 400; DELETE FROM nodes WHERE height = 8 AND position > 0',
    );
    db.close();
    writeFileSync(checkpointPath(cut.path), note);
    await expect(verifyAudit(cut.path, { keys: [key] })).resolves.toMatchObject({ ok: true, witnessed: 0 });
    const { findings } = await verifyAudit(cut.path, { keys: [key], witnesses: [witness] });
    expect(findings).toMatchObject([{ seq: 401, kind: 'truncated' }]);
    cut.remove();
  });
});

/** Opens a log at a size for which its owner signs again. */
async function openForked(path: string, size: number) {
  const db = new DatabaseSync(path);
  const note = String(db.prepare('SELECT note FROM checkpoints WHERE size = ?').get(size)?.note);
  db.close();
  writeFileSync(checkpointPath(path), note);
  return openAuditLog({ path, keys, log: silent });
}

describe('the proof of a call', () => {
  const proofOf = async (index: number) => JSON.stringify(await proveCall(place.path, records[index]?.callId ?? ''));

  it('is checked with the public key alone, for any record', async () => {
    for (const index of [0, 1, 255, 256, 299, rows - 1]) {
      const { ok, records: proven, checkpoint } = verifyProof(await proofOf(index), [key]);
      expect(ok).toBe(true);
      expect(proven).toMatchObject([{ callId: records[index]?.callId }]);
      expect(checkpoint).toMatchObject({ size: rows });
    }
  });

  it('contains neither arguments nor what is sealed', async () => {
    expect(await proofOf(3)).not.toContain('"sealed"');
    expect(await proofOf(3)).not.toContain(records[3]?.argumentsText ?? 'no arguments');
  });

  it.each([
    ['the record', (text: string) => edit(text)],
    ['the place', (text: string) => text.replace('"seq":4', '"seq":5')],
    ['the link', (text: string) => text.replace(/"prev":"./, '"prev":"z')],
    [
      'the sealed bytes',
      (text: string) => text.replace(/"sealedHash":"[0-9a-f]{64}"/, `"sealedHash":"${'0'.repeat(64)}"`),
    ],
    ['the path', (text: string) => text.replace(/index 3\\n..../, 'index 3\\nAAAA')],
    ['the root', (text: string) => text.replace(/\\n600\\n..../, '\\n600\\nAAAA')],
    ['the whole', () => '{}'],
    ['the syntax', () => '{'],
  ])('fails when %s was changed', async (_what, change) => {
    const text = await proofOf(3);
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(verifyProof(changed, [key])).toMatchObject({ ok: false, records: [], checkpoint: undefined });
  });

  it('fails with another key, and is not to be had for a call that is not there', async () => {
    const stranger = createSigner('sallyport/x', randomBytes(32)).verifierKey;
    expect(verifyProof(await proofOf(3), [stranger])).toMatchObject({ ok: false });
    expect(await proveCall(place.path, 'nothing')).toBeUndefined();
  });

  it('stays good when the log has grown', async () => {
    const text = await proofOf(5);
    const log = await openAuditLog({ path: place.path, keys, log: silent });
    await log.append(answered());
    await log.close();
    expect(verifyProof(text, [key])).toMatchObject({ ok: true });
    expect(readFileSync(checkpointPath(place.path), 'utf8')).toContain('\n601\n');
  });
});
