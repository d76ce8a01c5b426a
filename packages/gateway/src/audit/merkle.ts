import { hash } from 'node:crypto';

/**
 * The hash of one entry (RFC 6962 §2.1, RFC 9162 §2.1.1): SHA-256 of a zero byte and the entry. Nodes begin with another byte,
 * so no entry can pass for a node.
 */
export function leafHash(entry: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(entry.length + 1);
  bytes[0] = 0;
  bytes.set(entry, 1);
  return hash('sha256', bytes, 'buffer');
}

/** The hash of a node: SHA-256 of a one byte, the left and the right hash (RFC 6962 §2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(65);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 33);
  return hash('sha256', bytes, 'buffer');
}

/** The hash of a full subtree: of 2^`height` leaves, the `position`th of that size. Height 0 is a leaf. */
export type NodeOf = (height: number, position: number) => Uint8Array;

/**
 * The roots of the full subtrees that a tree consists of, largest first: all that is needed to go on appending, and to
 * tell the root. A tree of 2^40 leaves has 40 at most.
 */
export interface Frontier {
  size(): number;
  /** Adds a leaf's hash; says which full subtrees this completes, smallest first, the leaf itself left out. */
  append(leaf: Uint8Array, onNode?: (height: number, position: number, hash: Uint8Array) => void): void;
  root(): Buffer;
  roots(): readonly Uint8Array[];
  /** Another one in the same state. */
  copy(): Frontier;
}

/** Begins with an empty tree, or with one of `size` leaves, whose full subtrees have these roots. */
export function createFrontier(size = 0, roots: readonly Uint8Array[] = []): Frontier {
  const stack = [...roots];
  let leaves = size;
  return {
    size: () => leaves,
    append: (leaf, onNode) => {
      let node = leaf;
      let height = 0;
      // Each full subtree on the right, as large as what has been built, becomes one with it.
      for (let rest = leaves; rest % 2 === 1; rest = (rest - 1) / 2) {
        node = nodeHash(stack.pop() ?? node, node);
        height++;
        onNode?.(height, (rest - 1) / 2, node);
      }
      stack.push(node);
      leaves++;
    },
    root: () => rootOf(stack),
    roots: () => [...stack],
    copy: () => createFrontier(leaves, stack),
  };
}

function rootOf(roots: readonly Uint8Array[]): Buffer {
  let root = roots.at(-1);
  if (root === undefined) return hash('sha256', '', 'buffer');
  for (let at = roots.length - 2; at >= 0; at--) root = nodeHash(roots[at] ?? root, root);
  return Buffer.from(root);
}

/** The roots of the full subtrees of the first `size` leaves, largest first. */
export function frontierRoots(size: number, nodeOf: NodeOf): Uint8Array[] {
  const roots: Uint8Array[] = [];
  for (let from = 0; from < size; ) {
    const width = powerUpTo(size - from);
    roots.push(nodeOf(Math.log2(width), from / width));
    from += width;
  }
  return roots;
}

/** The root of the first `size` leaves. */
export function rootAt(size: number, nodeOf: NodeOf): Buffer {
  return rootOf(frontierRoots(size, nodeOf));
}

/**
 * The proof that leaf `index` (from 0) is in the tree of the first `size` leaves (RFC 9162 §2.1.3.1): the hashes it has to be
 * joined with, nearest first.
 *
 * @throws RangeError when there is no such leaf in that tree.
 */
export function inclusionProof(index: number, size: number, nodeOf: NodeOf): Uint8Array[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path = (from: number, to: number): Uint8Array[] => {
    if (to - from === 1) return [];
    const middle = from + splitOf(to - from);
    return index < middle
      ? [...path(from, middle), rangeHash(middle, to, nodeOf)]
      : [...path(middle, to), rangeHash(from, middle, nodeOf)];
  };
  return path(0, size);
}

/** What a proof of inclusion is about. */
export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** The root that a proof of inclusion leads to (RFC 9162 §2.1.3.2); `undefined` when it does not fit the tree's shape. */
export function rootOfInclusion({ index, size, leaf, proof }: Inclusion): Uint8Array | undefined {
  if (!(index >= 0 && index < size)) return undefined;
  let node = leaf;
  let place = index;
  let last = size - 1;
  for (const sibling of proof) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      node = nodeHash(sibling, node);
      while (place % 2 === 0 && place !== 0) {
        place /= 2;
        last = Math.floor(last / 2);
      }
    } else node = nodeHash(node, sibling);
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? node : undefined;
}

/**
 * The proof that the tree of the first `size` leaves begins with that of the first `earlier` (RFC 9162 §2.1.4.1).
 *
 * @throws RangeError unless 0 < earlier ≤ size.
 */
export function consistencyProof(earlier: number, size: number, nodeOf: NodeOf): Uint8Array[] {
  if (!(earlier > 0 && earlier <= size)) throw new RangeError(`no tree of ${size} begins with ${earlier} leaves`);
  const proof = (from: number, to: number, isWhole: boolean): Uint8Array[] => {
    if (earlier === to) return isWhole ? [] : [rangeHash(from, to, nodeOf)];
    const middle = from + splitOf(to - from);
    return earlier <= middle
      ? [...proof(from, middle, isWhole), rangeHash(middle, to, nodeOf)]
      : [...proof(middle, to, false), rangeHash(from, middle, nodeOf)];
  };
  return proof(0, size, true);
}

/** What a proof of consistency is about. */
export interface Consistency {
  readonly earlier: number;
  readonly earlierRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** Whether a tree provably begins with an earlier one (RFC 9162 §2.1.4.2). */
export function isConsistent(claim: Consistency): boolean {
  const { earlier, earlierRoot, size, root, proof } = claim;
  if (!(earlier > 0 && earlier <= size)) return false;
  if (earlier === size) return proof.length === 0 && same(earlierRoot, root);
  const led = rootsOfConsistency(claim);
  return led !== undefined && same(led.earlier, earlierRoot) && same(led.later, root);
}

/** The two roots a proof of consistency leads to; `undefined` when it does not fit the trees' shapes. */
function rootsOfConsistency({ earlier, earlierRoot, size, proof }: Consistency) {
  const [first, ...rest] = powerUpTo(earlier) === earlier ? [earlierRoot, ...proof] : proof;
  if (first === undefined) return undefined;
  let place = earlier - 1;
  let last = size - 1;
  const rise = (): void => {
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  };
  while (place % 2 === 1) rise();
  const led = { earlier: first, later: first };
  for (const node of rest) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      led.earlier = nodeHash(node, led.earlier);
      led.later = nodeHash(node, led.later);
      while (place % 2 === 0 && place !== 0) rise();
    } else led.later = nodeHash(led.later, node);
    rise();
  }
  return last === 0 ? led : undefined;
}

/** The largest power of two that is not above `size`. */
function powerUpTo(size: number): number {
  let power = 1;
  while (power * 2 <= size) power *= 2;
  return power;
}

/** Where a tree of this many leaves divides: the largest power of two below it. */
function splitOf(size: number): number {
  const power = powerUpTo(size);
  return power === size ? power / 2 : power;
}

function rangeHash(from: number, to: number, nodeOf: NodeOf): Uint8Array {
  const width = to - from;
  if (powerUpTo(width) === width) return nodeOf(Math.log2(width), from / width);
  const middle = from + splitOf(width);
  return nodeHash(rangeHash(from, middle, nodeOf), rangeHash(middle, to, nodeOf));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
