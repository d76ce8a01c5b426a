import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

/*
 * What a forger needs to know about exported evidence: the format is no secret (docs/audit.md). Nothing here comes from the
 * gateway.
 */

/** A row as it stands in the file. */
interface Row {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  readonly record: Readonly<Record<string, unknown>>;
  readonly sealed?: string;
}

/** The lines of the file, without their line feeds. */
export type Lines = readonly string[];

/** Where the row with this number is, counted in rows from the first one of the file. */
export function placeOf(lines: Lines, nth: number): number {
  const rows = lines.flatMap((line, at) => (line.startsWith('{"seq":') ? [at] : []));
  const at = rows.at(nth);
  if (at === undefined) throw new Error(`there is no row ${nth} in the evidence`);
  return at;
}

/** Changes one row's text. */
export function change(lines: Lines, nth: number, by: (line: string) => string): Lines {
  const at = placeOf(lines, nth);
  const changed = by(lines[at] ?? '');
  if (changed === lines[at]) throw new Error('nothing was changed');
  return lines.with(at, changed);
}

/** SHA-256( 0x00 ‖ prev ‖ seq ‖ record ‖ SHA-256(sealed) ), as every row has it. */
function hashOf({ seq, prev, record, sealed }: Row): string {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  const end = sealed === undefined ? Buffer.alloc(32) : sha256(Buffer.from(sealed, 'base64'));
  const entry = [Buffer.from([0]), Buffer.from(prev, 'hex'), number, Buffer.from(JSON.stringify(record)), end];
  return sha256(Buffer.concat(entry)).toString('hex');
}

/** Makes the hash of every row from one on right again, and its link to the one before: what needs no key. */
export function rechained(lines: Lines, nth: number): Lines {
  const from = placeOf(lines, nth);
  let prev: string | undefined;
  return lines.map((line, at) => {
    if (at < from || !line.startsWith('{"seq":')) return line;
    const row = JSON.parse(line) as Row;
    const linked = { ...row, prev: prev ?? row.prev };
    prev = hashOf(linked);
    const { seq, record, sealed } = linked;
    return JSON.stringify({ seq, prev: linked.prev, hash: prev, record, ...(sealed !== undefined && { sealed }) });
  });
}

/** Signs all checkpoints in the file with a key of the forger's own, under the name of the log. */
export function resigned(lines: Lines): Lines {
  const { privateKey } = generateKeyPairSync('ed25519');
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
  return lines.map((line) => {
    if (!line.includes('"checkpoint":')) return line;
    const value = JSON.parse(line) as { checkpoint: string };
    const [text = ''] = value.checkpoint.split('\n\n');
    const [name = ''] = text.split('\n');
    const id = sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([1]), raw])).subarray(0, 4);
    const signature = Buffer.concat([id, sign(null, Buffer.from(`${text}\n`), privateKey)]).toString('base64');
    return JSON.stringify({ ...value, checkpoint: `${text}\n\n— ${name} ${signature}\n` });
  });
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
