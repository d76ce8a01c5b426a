import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { isJsonObject, type JsonObject } from '@sallyport/protocol';
import {
  createMasterKeyFile,
  deriveKey,
  type KeyPurpose,
  keyPurposes,
  loadMasterKey,
  type MasterPlace,
  masterKeyId,
  placeText,
  readMasterKey,
} from './master-key.ts';
import { createPrivateFile, hasCode, movePrivateFile, readPrivateFile, replacePrivateFile } from './private-file.ts';
import { createSealer } from './sealed.ts';

/** Where the keys of a gateway are: the master key, and the file of all others, which it wraps. */
export interface KeyPlaces {
  readonly master: MasterPlace;
  /** Made when there is none; useless without the master key. */
  readonly ring: string;
  /** Where variables are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What may be known of a key. */
export interface KeyFacts {
  readonly purpose: KeyPurpose;
  /** When it was drawn, in milliseconds since the epoch; absent for one that was derived from the first master key. */
  readonly madeMs?: number;
  /** When the one was drawn that is to follow it, if one waits. */
  readonly nextMadeMs?: number;
}

/** The keys of a gateway. */
export interface Keys {
  of(purpose: KeyPurpose): KeyObject;
  /** The key that is to follow, if one waits. */
  next(purpose: KeyPurpose): KeyObject | undefined;
  /** Those that it followed, newest first; of them sixteen at most. */
  old(purpose: KeyPurpose): readonly KeyObject[];
  readonly facts: readonly KeyFacts[];
  /** Names the master key. */
  readonly masterId: string;
}

/** There is no master key where one should be. */
export class MasterKeyMissing extends Error {
  override readonly name = 'MasterKeyMissing';

  constructor(place: MasterPlace) {
    super(`there is no master key in ${placeText(place)}`);
  }
}

interface Kept {
  readonly key: KeyObject;
  readonly madeMs?: number;
}

interface Held {
  readonly now: Kept;
  readonly next?: Kept;
  readonly old?: readonly Kept[];
}

type Ring = Readonly<Record<KeyPurpose, Held>>;

interface Opened {
  readonly ring: Ring;
  readonly master: KeyObject;
  /** What is in the file, if there is one: nobody's changes are written over. */
  readonly text: string | undefined;
}

const keyBytes = 32;
/** The file has to stay a small one. */
const mostOld = 16;
const unwritable = ['EROFS', 'EACCES', 'EPERM'];
const sealKind = 'key ring';
/** A text that opens for good. */
const forEver = Number.MAX_SAFE_INTEGER;

/**
 * Reads the keys of a gateway, changing nothing. A data folder of before there were key rings has the keys that are derived from
 * its master key.
 *
 * @throws MasterKeyMissing; Error when the ring is wrapped under another master key, or was changed.
 */
export function readKeys(places: KeyPlaces): Keys {
  return toKeys(openRing(places));
}

/**
 * Opens the keys of a gateway, making what is not there: the master key where its place is a file, and the ring. Where the master
 * key is made here, the others are random. Where it was there before, they are those that are derived from it: what is kept may
 * stand under them since before there were rings, and other gateways with this master key come to the same. What a rotation of
 * the master key that was cut off has left is put in order. Where no file can be made, nothing is lost: derived keys need none.
 *
 * @throws MasterKeyMissing for an empty variable; Error when the ring is wrapped under another master key, or was changed.
 */
export function openKeys(places: KeyPlaces, nowMs: number): Keys {
  const { master: place, ring: path } = places;
  const hasRing = existsSync(path);
  // With a ring, a new master key could open nothing: that the old one is gone has to be said.
  const isNew = place.file !== undefined && !hasRing && !existsSync(place.file);
  if (isNew) loadMasterKey(place.file);
  const opened = openRing(places);
  settleMaster(places, opened.master);
  if (hasRing) return toKeys(opened);
  try {
    // Of two gateways that begin at once one makes it, and both have what that one made.
    createPrivateFile(path, Buffer.from(wrapRing(isNew ? drawRing(nowMs) : opened.ring, opened.master)));
  } catch (error) {
    if (isNew || !unwritable.some((code) => hasCode(error, code))) throw error;
  }
  return toKeys(openRing(places));
}

/**
 * Draws the key that is to follow the one for this purpose, and keeps it until `adoptKey`; one that waits already stays.
 *
 * @throws Error as `readKeys` does, and when somebody else changed the ring meanwhile.
 */
export function prepareKey(places: KeyPlaces, purpose: KeyPurpose, nowMs: number): Keys {
  const opened = openRing(places);
  const held = opened.ring[purpose];
  if (held.next !== undefined) return toKeys(opened);
  const ring = { ...opened.ring, [purpose]: { ...held, next: draw(nowMs) } };
  return replaceRing(places, opened, ring);
}

/** The key that waits for this purpose takes over; the old one stays for what still goes by it. @throws Error as `prepareKey` does. */
export function adoptKey(places: KeyPlaces, purpose: KeyPurpose): Keys {
  const opened = openRing(places);
  const { now, next, old = [] } = opened.ring[purpose];
  if (next === undefined) return toKeys(opened);
  const held = { now: next, old: [now, ...old].slice(0, mostOld) };
  return replaceRing(places, opened, { ...opened.ring, [purpose]: held });
}

/**
 * Wraps all keys under a new master key. Where that is to be is either said (`to`; a file is made if there is none, a variable
 * has to be set), and then the configuration has to say so too; or it takes the place of the old one, whose place must be a file.
 * Whenever this is cut off, the ring opens with exactly one of both, and `readKeys` finds that one in the place of the master key.
 *
 * @param afterStep is told when a step is on the disk, for tests that cut it off there.
 * @throws Error when there is no place for a new key, or as `prepareKey` does.
 */
export function rotateMasterKey(
  places: KeyPlaces,
  { to, afterStep = () => undefined }: { readonly to?: MasterPlace; readonly afterStep?: (step: string) => void } = {},
): Keys {
  const opened = openRing(places);
  settleMaster(places, opened.master);
  const target = to ?? nextPlace(places.master);
  if (target.file !== undefined) createMasterKeyFile(target.file);
  afterStep('made');
  const master = readMasterKey(target, places.env);
  if (master === undefined) throw new MasterKeyMissing(target);
  if (master.equals(opened.master)) throw new Error(`${placeText(target)} holds the master key that is in use already`);
  writeRing(places, opened, wrapRing(opened.ring, master));
  afterStep('wrapped');
  const now = { ...places, master: to ?? places.master };
  settleMaster(now, master);
  afterStep('moved');
  return readKeys(now);
}

/** Where the next master key lies until the ring is wrapped under it. */
function nextPlace(place: MasterPlace): { readonly file: string } {
  if (place.file !== undefined) return { file: `${place.file}.next` };
  throw new Error(`the master key is in ${placeText(place)}: say where the new one is`);
}

/** Of the master key and the one that was to follow it, the one that counts remains, under the first name. */
function settleMaster({ master: place }: KeyPlaces, master: KeyObject): void {
  if (place.file === undefined) return;
  const next = nextPlace(place);
  const waiting = existsSync(next.file) ? readMasterKey(next, {}) : undefined;
  if (waiting?.equals(master)) movePrivateFile(next.file, place.file);
}

function openRing(places: KeyPlaces): Opened {
  const { ring: path, master: place, env } = places;
  const found = readMasterKey(place, env);
  if (!existsSync(path)) {
    if (found === undefined) throw new MasterKeyMissing(place);
    return { ring: derivedRing(found), master: found, text: undefined };
  }
  const text = readPrivateFile(path).toString('utf8');
  const { id, sealed } = readFile(text, path);
  const waiting = place.file === undefined ? undefined : readMasterKey(nextPlace(place), env);
  const master = [found, waiting].find((key) => key !== undefined && masterKeyId(key) === id);
  if (master !== undefined) return { ring: unwrapRing(sealed, master, path), master, text };
  if (found === undefined) throw new MasterKeyMissing(place);
  throw new Error(
    `the keys in ${path} are wrapped under another master key (${id}) than the one in ${placeText(place)} (${masterKeyId(found)})`,
  );
}

function replaceRing(places: KeyPlaces, opened: Opened, ring: Ring): Keys {
  writeRing(places, opened, wrapRing(ring, opened.master));
  return readKeys(places);
}

function writeRing({ ring: path }: KeyPlaces, { text }: Opened, fresh: string): void {
  const now = existsSync(path) ? readPrivateFile(path).toString('utf8') : undefined;
  if (now !== text) throw new Error(`${path} was changed meanwhile: try again`);
  replacePrivateFile(path, Buffer.from(fresh));
}

function toKeys({ ring, master }: Opened): Keys {
  return {
    of: (purpose) => ring[purpose].now.key,
    next: (purpose) => ring[purpose].next?.key,
    old: (purpose) => (ring[purpose].old ?? []).map(({ key }) => key),
    facts: keyPurposes.map((purpose) => {
      const { now, next } = ring[purpose];
      return {
        purpose,
        ...(now.madeMs !== undefined && { madeMs: now.madeMs }),
        ...(next?.madeMs !== undefined && { nextMadeMs: next.madeMs }),
      };
    }),
    masterId: masterKeyId(master),
  };
}

function draw(madeMs: number): Kept {
  const bytes = randomBytes(keyBytes);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { key, madeMs };
}

function ringOf(held: (purpose: KeyPurpose) => Held): Ring {
  return Object.fromEntries(keyPurposes.map((purpose) => [purpose, held(purpose)])) as unknown as Ring;
}

function drawRing(nowMs: number): Ring {
  return ringOf(() => ({ now: draw(nowMs) }));
}

function derivedRing(master: KeyObject): Ring {
  return ringOf((purpose) => ({ now: { key: deriveKey(master, purpose) } }));
}

function sealerOf(master: KeyObject) {
  return createSealer(deriveKey(master, 'ring'), () => 0);
}

function wrapRing(ring: Ring, master: KeyObject): string {
  const claims: JsonObject = Object.fromEntries(
    keyPurposes.map((purpose) => {
      const { now, next, old } = ring[purpose];
      return [
        purpose,
        { now: written(now), ...(next && { next: written(next) }), ...(old && { old: old.map(written) }) },
      ];
    }),
  );
  const sealed = sealerOf(master).seal(sealKind, claims, forEver);
  return `${JSON.stringify({ keyRing: 1, master: masterKeyId(master), sealed })}\n`;
}

function written({ key, madeMs }: Kept): JsonObject {
  return { key: key.export().toString('base64url'), ...(madeMs !== undefined && { madeMs }) };
}

function readFile(text: string, path: string): { readonly id: string; readonly sealed: string } {
  try {
    const value: unknown = JSON.parse(text);
    const { keyRing, master, sealed } = value as Partial<Record<string, unknown>>;
    if (keyRing === 1 && typeof master === 'string' && typeof sealed === 'string') return { id: master, sealed };
  } catch {
    // Said below: a parser's own message would quote the file.
  }
  throw new Error(`${path} is not a key ring that this version knows`);
}

function unwrapRing(sealed: string, master: KeyObject, path: string): Ring {
  const claims = sealerOf(master).open(sealKind, sealed);
  if (claims === undefined) throw new Error(`${path} was changed: its keys do not open`);
  return ringOf((purpose) => {
    const held = claims[purpose];
    // A purpose of a later version than the ring: drawn nowhere yet, so derived as those of old folders are.
    if (!isJsonObject(held)) return { now: { key: deriveKey(master, purpose) } };
    const next = keptIn(held.next);
    const old = Array.isArray(held.old) ? held.old.flatMap((each) => keptIn(each) ?? []) : [];
    return { now: keptIn(held.now) ?? corrupt(path), ...(next && { next }), ...(old.length > 0 && { old }) };
  });
}

function keptIn(value: unknown): Kept | undefined {
  const { key, madeMs } = (value ?? {}) as { readonly key?: unknown; readonly madeMs?: unknown };
  if (typeof key !== 'string') return undefined;
  const bytes = Buffer.from(key, 'base64url');
  if (bytes.length !== keyBytes) return undefined;
  const opened = createSecretKey(bytes);
  bytes.fill(0);
  return { key: opened, ...(typeof madeMs === 'number' && { madeMs }) };
}

function corrupt(path: string): never {
  throw new Error(`${path} holds a key that is none`);
}
