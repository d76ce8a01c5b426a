import type { JsonObject, JsonValue } from './json.ts';
import { suspiciousKeys } from './similar.ts';
import { locateFault } from './strict-json-locate.ts';
import { type Envelope, type Member, scan } from './strict-json-scan.ts';

export type { Envelope, Member } from './strict-json-scan.ts';

/** JSON that reads the same for every reader, and where its parts stand in the text. */
export interface StrictJson {
  readonly text: string;
  readonly value: JsonValue;
  /** Members of the top-level object; none if it is something else. */
  readonly members: readonly Member[];
  /** Members of the object inside the envelope's `inside` member; none if there is none. */
  readonly inner: readonly Member[];
}

/** The envelope of a JSON-RPC message that carries MCP. */
export const jsonRpcEnvelope: Envelope = {
  members: ['jsonrpc', 'id', 'method', 'params', 'result', 'error'],
  inside: 'params',
  inner: ['name', 'arguments', '_meta', 'cursor', 'uri', 'protocolVersion'],
};

/** Why a text was refused. `syntax`: not JSON at all. */
export type StrictJsonProblem =
  | 'syntax'
  | 'depth'
  | 'number'
  | 'duplicate_member'
  | 'similar_member'
  | 'forbidden_member'
  | 'lone_surrogate';

const descriptions: Readonly<Record<StrictJsonProblem, string>> = {
  syntax: 'not valid JSON',
  depth: 'nested too deeply',
  number: 'a number that does not survive as a double',
  duplicate_member: 'a member that is there twice',
  similar_member: 'a member that differs from an expected one in case only',
  forbidden_member: 'a member that may not be used as a name',
  lone_surrogate: 'half of a surrogate pair',
};

/** A text that not every reader would read the same. `pointer` (RFC 6901) tells where, as far as it can be told. */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError';
  readonly problem: StrictJsonProblem;
  readonly pointer: string;

  constructor(problem: StrictJsonProblem, pointer = '') {
    super(`${pointer === '' ? '' : `${pointer}: `}${descriptions[problem]}`);
    this.problem = problem;
    this.pointer = pointer;
  }
}

/** How strict, and for which kind of message. */
export interface StrictOptions {
  /** Nesting of arrays and objects; 64 if absent. */
  readonly maxDepth?: number;
  /** `jsonRpcEnvelope` if absent. */
  readonly envelope?: Envelope;
}

const defaultMaxDepth = 64;

/**
 * Parses JSON that every reader agrees on: no duplicate members, no numbers that change when read as doubles, no lone
 * surrogates, no `__proto__` and no NUL in a name, bounded depth. What policy sees and what a service parses from the same text is then the same.
 *
 * @throws StrictJsonError
 */
export function parseStrict(text: string, options: StrictOptions = {}): StrictJson {
  const envelope = options.envelope ?? jsonRpcEnvelope;
  // Before the parse, so that a depth bomb is never built in memory. On text that is not JSON it finds nonsense, which the
  // parse then throws away.
  const scanned = scan(text, envelope, options.maxDepth ?? defaultMaxDepth);
  if (scanned.tooDeep) throw new StrictJsonError('depth');
  const value = parse(text);
  if (scanned.badNumber >= 0) throw new StrictJsonError('number', numberPointer(text, scanned.badNumber));
  refuseHostileStrings(text);
  // The engine keeps the last of duplicate members, so fewer members in the value than in the text means duplicates,
  // whichever way their names were escaped.
  if (countMembers(value) !== scanned.count) throw new StrictJsonError('duplicate_member', duplicatePointer(text));
  refuseSimilar(scanned.members, envelope.members, '');
  refuseSimilar(scanned.inner, envelope.inner, `/${envelope.inside}`);
  return { text, value, members: scanned.members, inner: scanned.inner };
}

/** The deepest nesting of what servers answer: deeper texts exhaust the readers that call themselves for every level. */
const maxForeignDepth = 512;

/**
 * Parses JSON that others wrote for others: big integers and unusual strings are theirs. Refused are only members that are
 * there twice, of which two readers may take two, and nesting beyond 512.
 *
 * @throws StrictJsonError
 */
export function parseUnique(text: string): JsonValue {
  const scanned = scan(text, noEnvelope, maxForeignDepth);
  if (scanned.tooDeep) throw new StrictJsonError('depth');
  const value = parse(text);
  if (countMembers(value) !== scanned.count) throw new StrictJsonError('duplicate_member', duplicatePointer(text));
  return value;
}

const noEnvelope: Envelope = { members: [], inside: '', inner: [] };

/** The text of a member, or `undefined` if there is none of that name. Of several it is the last, the one that the engine keeps. */
export function memberText(text: string, members: readonly Member[], key: string): string | undefined {
  const member = members.findLast((each) => each.key === key);
  return member && text.slice(member.start, member.end);
}

/** Whether a value is an object and not an array. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Locates the members of a JSON object in its text. Only for text that is known to be valid JSON; anything but an object has
 * no members.
 */
export function membersOf(text: string): readonly Member[] {
  return scan(text, noEnvelope, Number.POSITIVE_INFINITY).members;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new StrictJsonError('syntax');
  }
}

/** Strings that read differently elsewhere come from raw surrogates or from escapes; few texts have such escapes at all. */
function refuseHostileStrings(text: string): void {
  if (!text.isWellFormed()) throw new StrictJsonError('lone_surrogate');
  if (/\\u[dD]/.test(text)) {
    const pointer = locateFault(text, ({ kind, decoded }) => kind !== 'number' && !decoded.isWellFormed());
    if (pointer !== undefined) throw new StrictJsonError('lone_surrogate', pointer);
  }
  // Either as it is, or with some of its letters escaped.
  if (text.includes('__proto__') || /\\u00[5-7]/.test(text)) {
    const pointer = locateFault(text, ({ kind, decoded }) => kind === 'key' && decoded === '__proto__');
    if (pointer !== undefined) throw new StrictJsonError('forbidden_member', pointer);
  }
  // A reader in C ends a name there.
  if (text.includes('\\u0000')) {
    const pointer = locateFault(text, ({ kind, decoded }) => kind === 'key' && decoded.includes('\0'));
    if (pointer !== undefined) throw new StrictJsonError('forbidden_member', pointer);
  }
}

function countMembers(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) count += countMembers(item);
    return count;
  }
  const members = Object.values(value as JsonObject);
  for (const item of members) if (typeof item === 'object' && item !== null) count += countMembers(item);
  return count + members.length;
}

function duplicatePointer(text: string): string {
  return locateFault(text, ({ kind, decoded, seen }) => kind === 'key' && seen.has(decoded)) ?? '';
}

function numberPointer(text: string, offset: number): string {
  return locateFault(text, (token) => token.offset === offset) ?? '';
}

function refuseSimilar(members: readonly Member[], expected: readonly string[], parent: string): void {
  const [key] = suspiciousKeys(members, expected);
  if (key !== undefined) throw new StrictJsonError('similar_member', `${parent}/${key}`);
}
