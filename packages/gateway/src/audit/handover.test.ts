import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditLogDamaged, openChain } from './chain.ts';
import { checkpointText, readCheckpoint } from './checkpoint.ts';
import { checkpointPath, readCheckpointFile, writeCheckpointFile } from './checkpoint-file.ts';
import { exportEvidence, verifyEvidence } from './evidence.ts';
import { handoversIn, signHandover } from './handover.ts';
import { type AuditLogOptions, openAuditLog } from './log.ts';
import { createSigner } from './note.ts';
import { proveCall, verifyProof } from './proof.ts';
import { auditVerifierKey } from './reader.ts';
import { answered, collected, logFolder, silent, someKeys } from './record.fuzz.ts';
import type { AuditKeys } from './seal.ts';
import { searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

const origin = 'gateway.example/audit';
const first = someKeys();
const signing = randomBytes(32);
const third = randomBytes(32);
const vkey = (seed: Uint8Array) => createSigner(origin, seed).verifierKey;
const [key1, key2, key3] = [vkey(first.signing), vkey(signing), vkey(third)];

let place = logFolder();
beforeEach(() => {
  place = logFolder();
});
afterEach(() => place.remove());

async function write(keys: AuditKeys, records: number, options: Partial<AuditLogOptions> = {}) {
  const log = await openAuditLog({ path: place.path, keys, log: silent, origin, ...options });
  for (let at = 0; at < records; at++) await log.append(answered());
  return log;
}

/** Three rows signed with the first key, the fourth hands over, three more. */
async function handedOver(): Promise<void> {
  const log = await write(first, 3);
  await log.handOver(signing);
  for (let at = 0; at < 3; at++) await log.append(answered());
  await log.close();
}

function change(sql: string, ...values: (string | number)[]): void {
  const db = new DatabaseSync(place.path);
  db.prepare(sql).run(...values);
  db.close();
}

describe('a log that changes its signing key', () => {
  it('verifies with the first key, with the last, and with what it says of itself', async () => {
    await handedOver();
    for (const keys of [[key1], [key2], []]) {
      await expect(verifyAudit(place.path, { keys }), keys.join()).resolves.toMatchObject({
        ok: true,
        rows: 7,
        handovers: 1,
      });
    }
    expect(await searchAudit(place.path, { tool: 'sallyport.signing-key' })).toMatchObject([
      { seq: 4, record: { subject: 'sallyport', handover: expect.stringContaining(`next ${key2}`) } },
    ]);
    const { findings } = await verifyAudit(place.path, { keys: [key3] });
    expect(findings[0]?.detail).toContain('none of the given keys signed it');
  });

  it('has both keys sign a checkpoint at the row that hands over', async () => {
    await handedOver();
    const db = new DatabaseSync(place.path, { readOnly: true });
    const note = String(db.prepare('SELECT note FROM checkpoints WHERE size = 4').get()?.note);
    db.close();
    expect(note.match(/^— /gm)).toHaveLength(2);
    expect(readCheckpoint(note)).toMatchObject({ origin, size: 4 });
  });

  it('goes on to a third key, and from the first one reaches it', async () => {
    await handedOver();
    const log = await write({ ...first, signing }, 1);
    await log.handOver(third);
    await log.append(answered());
    await log.close();
    for (const key of [key1, key2, key3]) {
      await expect(verifyAudit(place.path, { keys: [key] })).resolves.toMatchObject({ ok: true, handovers: 2 });
    }
  });

  it('hands over when it is opened with a key that waits, and once only, whoever has heard of it', async () => {
    await (await write(first, 2)).close();
    const waiting = { ...first, nextSigning: signing };
    await (await write(waiting, 1)).close();
    // Whoever keeps the keys died before it adopted the new one; then it did; then it comes with the old one alone.
    await (await write(waiting, 1)).close();
    await (await write({ ...first, signing }, 1)).close();
    await expect(verifyAudit(place.path, { keys: [key1] })).resolves.toMatchObject({ ok: true, rows: 6, handovers: 1 });
    await expect(write(first, 0)).rejects.toThrow('handed over to another signing key');
  });

  it('hands over when it is opened after its key was followed by others elsewhere, and verifies with what is at hand', async () => {
    await (await write(first, 2)).close();
    const followed = { ...first, signing: third, oldSigning: [signing, first.signing] };
    await expect(auditVerifierKey(place.path, followed)).resolves.toBe(key1);
    await (await write(followed, 1)).close();
    await expect(auditVerifierKey(place.path, followed)).resolves.toBe(key3);
    for (const key of [key1, key3]) {
      await expect(verifyAudit(place.path, { keys: [key] })).resolves.toMatchObject({
        ok: true,
        rows: 4,
        handovers: 1,
      });
    }
  });

  it('goes on after a crash between the handover and the next checkpoint', async () => {
    await (await write(first, 2)).close();
    const before = readCheckpointFile(place.path) ?? '';
    await (await write({ ...first, nextSigning: signing }, 0)).close();
    // As it was: only the row and its note are there.
    writeFileSync(checkpointPath(place.path), before.replace('closed\n', ''));
    change('DELETE FROM checkpoints WHERE size >= 3');
    writeFileSync(
      checkpointPath(place.path),
      createSigner(origin, first.signing).sign(checkpointText({ ...readCheckpoint(before), closed: false })),
    );
    await (await write({ ...first, nextSigning: signing }, 1)).close();
    await expect(verifyAudit(place.path, { keys: [key1] })).resolves.toMatchObject({ ok: true, rows: 4 });
  });

  it('stays verifiable from the first key when retention has taken the row that handed over', async () => {
    const oldMs = Date.now() - 100 * 86_400_000;
    const chain = openChain({ path: place.path, keys: first, origin });
    chain.handOver(signing, oldMs);
    chain.handOver(third, oldMs);
    await writeCheckpointFile(place.path, chain.checkpoint(oldMs, true));
    chain.close();
    const kept = await write({ ...first, signing: third }, 0, { retention: { recordsMs: 30 * 86_400_000 } });
    await expect
      .poll(async () => (await verifyAudit(place.path, { keys: [key1] })).expired, { timeout: 5_000 })
      .toBe(2);
    await kept.close();
    await expect(verifyAudit(place.path, { keys: [key1] })).resolves.toMatchObject({ ok: true, handovers: 2 });
  });
});

describe('evidence and proofs over a change of the signing key', () => {
  it('verify with the key from before and with the one from after; what was exported before, with the first', async () => {
    const log = await write(first, 3);
    await log.close();
    const before = await collected(exportEvidence(place.path));
    await handedOver();
    const after = await collected(exportEvidence(place.path));
    const [row] = await searchAudit(place.path, {}, { limit: 1 });
    const call = row?.record.kind === 'outcome' ? row.record.callId : '';
    const proof = JSON.stringify(await proveCall(place.path, call));
    await expect(verifyEvidence(before, { keys: [key1] })).resolves.toMatchObject({ ok: true, rows: 3, handovers: 0 });
    for (const key of [key1, key2]) {
      await expect(verifyEvidence(after, { keys: [key] })).resolves.toMatchObject({ ok: true, rows: 10, handovers: 1 });
      expect(verifyProof(proof, [key])).toMatchObject({ ok: true });
    }
    expect((await verifyEvidence(after, { keys: [key3] })).ok).toBe(false);
    expect(verifyProof(proof, [key3])).toMatchObject({ ok: false });
  });

  it('name the row whose handover was changed or left out', async () => {
    await handedOver();
    const [header = '', ...rest] = await collected(exportEvidence(place.path));
    const {
      keys: [handover],
      ...head
    } = JSON.parse(header);
    const forged = signHandover({
      ...{ origin, seq: 4, timeMs: 0 },
      ...{ from: createSigner(origin, third), to: createSigner(origin, signing) },
    });
    const said = async (keys: unknown) =>
      (await verifyEvidence([JSON.stringify({ ...head, keys }), ...rest], { keys: [key1] })).findings;
    expect((await said([]))[0]?.detail).toContain('none of the given keys signed it');
    expect(await said([{ seq: 4, note: forged }])).toContainEqual(
      expect.objectContaining({ seq: 4, detail: expect.stringContaining('is not in it') }),
    );
    expect(await said([{ ...handover, note: handover.note.replace('time 2', 'time 3') }])).toContainEqual(
      expect.objectContaining({ seq: 4, detail: expect.stringContaining('not vouched for by the one before') }),
    );
    expect((await said('none'))[0]?.detail).toBe('its first line cannot be read');
  });
});

describe('a broken chain of keys', () => {
  it('is found at the row where it breaks: a note that was changed, and one that is not in its row', async () => {
    await handedOver();
    const db = new DatabaseSync(place.path, { readOnly: true });
    const [handover] = handoversIn(db);
    db.close();
    change('UPDATE handovers SET note = ?', handover!.note.replace('row 4', 'row 5'));
    await expect(verifyAudit(place.path, { keys: [key1] })).resolves.toMatchObject({
      ok: false,
      findings: expect.arrayContaining([
        expect.objectContaining({ seq: 4, detail: expect.stringContaining('not vouched for by the one before') }),
      ]),
    });
    await expect(write({ ...first, signing }, 0)).rejects.toThrow(AuditLogDamaged);
    const parts = { from: createSigner(origin, first.signing), to: createSigner(origin, third) };
    change('UPDATE handovers SET note = ?', signHandover({ origin, seq: 4, timeMs: 0, ...parts }));
    const { findings } = await verifyAudit(place.path, { keys: [key1] });
    expect(findings).toContainEqual(
      expect.objectContaining({ seq: 4, detail: 'the handover of the key that is kept for this row is not in it' }),
    );
  });

  it('is found where a handover does not go on from the one before', async () => {
    await handedOver();
    const parts = { from: createSigner(origin, third), to: createSigner(origin, randomBytes(32)) };
    change('INSERT INTO handovers (seq, note) VALUES (6, ?)', signHandover({ origin, seq: 6, timeMs: 0, ...parts }));
    const { findings } = await verifyAudit(place.path, { keys: [key1] });
    expect(findings[0]).toMatchObject({
      seq: 6,
      detail: 'the key that hands over here is not the one that took over at row 4',
    });
  });

  it('is found where a key signs after it has handed over, or before it took over', async () => {
    await handedOver();
    const witness = join(place.folder, 'witness');
    const now = readCheckpoint(readCheckpointFile(place.path) ?? '');
    const signed = (seed: Uint8Array, size: number) =>
      `${JSON.stringify(createSigner(origin, seed).sign(checkpointText({ ...now, size, closed: false })))}\n`;
    for (const [seed, size] of [
      [first.signing, 7],
      [signing, 2],
    ] as const) {
      writeFileSync(witness, signed(seed, size));
      const { ok, findings } = await verifyAudit(place.path, { keys: [key1], witnesses: [witness] });
      expect(ok).toBe(false);
      expect(findings[0]?.detail).toContain('none of the given keys signed it');
    }
  });
});
