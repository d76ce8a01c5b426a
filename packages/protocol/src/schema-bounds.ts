/** Bounds on one JSON Schema from outside: what is compiled, walked and shown to agents must stay small. */
const maxLength = 256 * 1024;
const maxDepth = 64;
const maxNodes = 5_000;
const maxReferences = 500;
/** Compiling one takes milliseconds, in which nothing else happens. */
const maxPatterns = 200;
/** References that are followed to check one value once; definitions that use one another twice double it each time. */
const maxFollowed = 10_000;

const referenceKeywords = new Set(['$ref', '$dynamicRef', '$recursiveRef']);

interface Walk {
  nodes: number;
  references: number;
  patterns: number;
}

/**
 * Says what is wrong with the size or the references of a schema, or `undefined` when nothing is. A reference may only
 * point into the schema itself: nothing is ever fetched because a schema says so.
 */
export function schemaFault(schema: unknown): string | undefined {
  const fault = walk(schema, 0, { nodes: 0, references: 0, patterns: 0 });
  if (fault !== undefined) return fault;
  if (followed(schema, createFollowing(schema)) > maxFollowed)
    return `its references multiply to more than ${maxFollowed}`;
  // Measured last: only what is known to be shallow can be printed without fear.
  return JSON.stringify(schema).length > maxLength ? `longer than ${maxLength} characters` : undefined;
}

/** Whether arrays and objects are nested deeper than that in a value. Looks no deeper than that itself. */
export function isDeeperThan(depth: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((member) => isDeeperThan(depth - 1, member));
}

function walk(value: unknown, depth: number, seen: Walk): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  seen.nodes += 1;
  if (depth > maxDepth) return `nested deeper than ${maxDepth}`;
  if (seen.nodes > maxNodes) return `more than ${maxNodes} parts`;
  for (const [key, member] of Object.entries(value)) {
    const fault =
      keywordFault(key, member, depth) ??
      referenceFault(key, member, seen) ??
      patternFault(key, member, seen) ??
      walk(member, depth + 1, seen);
    if (fault) return fault;
  }
  return undefined;
}

/** A property may be called `$ref` too; then its value is a schema, not a text. */
function referenceFault(key: string, target: unknown, seen: Walk): string | undefined {
  if (!referenceKeywords.has(key) || typeof target !== 'string') return undefined;
  seen.references += 1;
  if (seen.references > maxReferences) return `more than ${maxReferences} references`;
  return target.startsWith('#') ? undefined : 'a $ref may only point into the same schema, with "#"';
}

function patternFault(key: string, member: unknown, seen: Walk): string | undefined {
  if (key === 'pattern' && typeof member === 'string') seen.patterns += 1;
  if (key === 'patternProperties') seen.patterns += Object.keys(member ?? {}).length;
  return seen.patterns > maxPatterns ? `more than ${maxPatterns} patterns` : undefined;
}

/**
 * `$async` is no JSON Schema: the compiler would make a check of it that answers later, which is as good as none. A schema
 * inside with a name of its own takes that name from all others, and references in it would be resolved from there.
 */
function keywordFault(key: string, member: unknown, depth: number): string | undefined {
  // Whatever its value, and even as the name of a property: any value that counts as true would do.
  if (key === '$async') return '$async is not allowed';
  return key === '$id' && typeof member === 'string' && depth > 0 ? 'only the whole schema may have an $id' : undefined;
}

interface Following {
  readonly target: (reference: string) => unknown;
  readonly known: Map<string, number>;
  readonly open: Set<string>;
}

function createFollowing(root: unknown): Following {
  const anchors = new Map<string, unknown>();
  collectAnchors(root, anchors);
  const target = (reference: string): unknown =>
    reference === '#' || reference.startsWith('#/') ? resolve(root, reference) : anchors.get(reference.slice(1));
  return { target, known: new Map(), open: new Set() };
}

/**
 * How many references are followed when every branch of a schema is taken once. One that leads back into itself counts once:
 * how often it is really followed is up to the value.
 */
function followed(schema: unknown, following: Following): number {
  if (typeof schema !== 'object' || schema === null) return 0;
  let sum = 0;
  for (const [key, member] of Object.entries(schema)) {
    // Definitions are followed from where they are used.
    if (key === '$defs' || key === 'definitions') continue;
    sum += followed(member, following);
    if (referenceKeywords.has(key) && typeof member === 'string') sum += 1 + followedFrom(member, following);
    if (sum > maxFollowed) return sum;
  }
  return sum;
}

function followedFrom(reference: string, following: Following): number {
  const { target, known, open } = following;
  const before = known.get(reference);
  if (before !== undefined) return before;
  if (open.has(reference)) return 0;
  open.add(reference);
  const count = followed(target(reference), following);
  open.delete(reference);
  known.set(reference, count);
  return count;
}

function collectAnchors(value: unknown, anchors: Map<string, unknown>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if ((key === '$anchor' || key === '$dynamicAnchor') && typeof member === 'string') anchors.set(member, value);
    collectAnchors(member, anchors);
  }
}

/** What a JSON pointer in a fragment (RFC 6901 §6) points to; `undefined` when that is nothing. */
function resolve(root: unknown, reference: string): unknown {
  let at = root;
  for (const part of reference.split('/').slice(1)) {
    const key = pointerKey(part);
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined;
  }
  return at;
}

function pointerKey(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return part;
  }
}
