import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

/**
 * Signed notes (c2sp.org/signed-note): text, an empty line, and lines of signatures that each name their key. Anybody with
 * the key's text form can check one, with tools that are not ours.
 */
export interface Signer {
  /** The public half as text: `name+id+key`, for those who verify. */
  readonly verifierKey: string;
  /** Signs a text that ends with a line feed; returns the whole note. */
  sign(text: string): string;
  /** The line of such a signature, with its line feed. */
  signatureLine(text: string): string;
}

/** One note with the signatures of several. */
export function signAll(text: string, signers: readonly Signer[]): string {
  return `${text}\n${signers.map((signer) => signer.signatureLine(text)).join('')}`;
}

/** A public key whose notes are believed. */
export interface Verifier {
  readonly name: string;
  /** Four bytes that tell keys of one name apart, hex. */
  readonly id: string;
  isSignatureOf(signature: Uint8Array, text: string): boolean;
}

/** A note that is not one, or that no known key signed. */
export class NoteRefused extends Error {
  override readonly name = 'NoteRefused';
}

const ed25519 = 0x01;
/** What DER puts before the 32 bytes of an Ed25519 key (RFC 8410 §7 and §4). */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** No note of ours comes near this. */
const maxNoteLength = 64 * 1024;

/** Makes a signer from the 32 secret bytes of an Ed25519 key (RFC 8032 §5.1.5). @throws Error for names notes cannot carry. */
export function createSigner(name: string, seed: Uint8Array): Signer {
  checkName(name);
  const key = createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
  const material = publicBytes(createPublicKey(key));
  const id = keyId(name, material);
  const signatureLine = (text: string): string => {
    const signature = signBytes(null, Buffer.from(text), key);
    return `— ${name} ${Buffer.concat([id, signature]).toString('base64')}\n`;
  };
  return {
    verifierKey: `${name}+${id.toString('hex')}+${Buffer.concat([Buffer.from([ed25519]), material]).toString('base64')}`,
    sign: (text) => `${text}\n${signatureLine(text)}`,
    signatureLine,
  };
}

/** Reads the text form of a public key. @throws NoteRefused when it is not one, or not of Ed25519. */
export function readVerifierKey(text: string): Verifier {
  const [, name = '', id = '', encoded = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  const material = bytes.subarray(1);
  if (bytes[0] !== ed25519 || material.length !== 32 || keyId(name, material).toString('hex') !== id) {
    throw new NoteRefused('this is not a verifier key: name+id+key, as `sallyport audit key` prints it');
  }
  const key = createPublicKey({ key: Buffer.concat([publicPrefix, material]), format: 'der', type: 'spki' });
  return { name, id, isSignatureOf: (signature, signed) => verifyBytes(null, Buffer.from(signed), key, signature) };
}

/** A note's text without its signatures, unchecked: for saying what is wrong with it. @throws NoteRefused when it is not a note. */
export function noteText(note: string): string {
  return split(note).text;
}

/**
 * Reads a note that at least one of these keys signed: its text, with the final line feed. Signatures of keys that are not
 * given are ignored.
 *
 * @throws NoteRefused when it is malformed, when a given key's signature is wrong, or when none of them signed it.
 */
export function openNote(note: string, verifiers: readonly Verifier[]): string {
  const { text, signatures } = split(note);
  let isSigned = false;
  for (const { name, bytes } of signatures) {
    const id = bytes.subarray(0, 4).toString('hex');
    const verifier = verifiers.find((each) => each.name === name && each.id === id);
    if (verifier === undefined) continue;
    if (!verifier.isSignatureOf(bytes.subarray(4), text)) throw new NoteRefused(`the signature of ${name} is wrong`);
    isSigned = true;
  }
  if (!isSigned) throw new NoteRefused('none of the given keys signed it');
  return text;
}

interface Parts {
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly bytes: Buffer }[];
}

function split(note: string): Parts {
  const end = note.lastIndexOf('\n\n');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const isNote = note.length <= maxNoteLength && end >= 0 && note.endsWith('\n') && !/[\0-\x09\x0b-\x1f]/.test(note);
  if (!isNote) throw new NoteRefused('this is not a signed note');
  const lines = note.slice(end + 2, -1).split('\n');
  return { text: note.slice(0, end + 1), signatures: lines.map(readSignature) };
}

function readSignature(line: string): Parts['signatures'][number] {
  const [, name = '', encoded = ''] = /^— ([^+\s]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  // Base64 has spare bits at its end: only one way of writing a signature is taken for it.
  const isCanonical = bytes.toString('base64') === encoded;
  if (name === '' || bytes.length < 5 || !isCanonical)
    throw new NoteRefused('a signature line of the note cannot be read');
  return { name, bytes };
}

function checkName(name: string): void {
  if (!/^[^+\s]+$/.test(name)) throw new Error(`"${name}" cannot name a key: it has a space or a plus sign`);
}

function publicBytes(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(publicPrefix.length);
}

function keyId(name: string, material: Uint8Array): Buffer {
  const bytes = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ed25519]), material]);
  return hash('sha256', bytes, 'buffer').subarray(0, 4);
}
