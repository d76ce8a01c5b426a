import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyProof,
  createFrontier,
  inclusionProof,
  isConsistent,
  leafHash,
  type NodeOf,
  nodeHash,
  rootAt,
  rootOfInclusion,
} from './merkle.ts';

// The reference entries of Certificate Transparency, and the roots of the trees of the first 0 to 8 of them, as its
// implementations publish them.
const reference = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const referenceRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const leaves = reference.map((entry) => leafHash(Buffer.from(entry, 'hex')));

/** The definition of RFC 6962 §2.1, word by word. */
function definedRoot(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes;
  if (only === undefined) return createFrontier().root();
  if (hashes.length === 1) return only;
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return nodeHash(definedRoot(hashes.slice(0, split)), definedRoot(hashes.slice(split)));
}

function nodesOf(hashes: readonly Uint8Array[]): NodeOf {
  return (height, position) => definedRoot(hashes.slice(position * 2 ** height, (position + 1) * 2 ** height));
}

function many(count: number): Buffer[] {
  return Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));
}

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

describe('the tree of RFC 6962', () => {
  test('has the published roots for the published entries', () => {
    const frontier = createFrontier();
    const roots = [hex(frontier.root())];
    for (const leaf of leaves) {
      frontier.append(leaf);
      roots.push(hex(frontier.root()));
    }
    expect(roots).toEqual(referenceRoots);
    expect(reference.map((_, size) => hex(rootAt(size, nodesOf(leaves))))).toEqual(referenceRoots.slice(0, 8));
  });

  test('has the published proofs for the published entries', () => {
    expect(inclusionProof(5, 8, nodesOf(leaves)).map(hex)).toEqual([
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect(consistencyProof(6, 8, nodesOf(leaves)).map(hex)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
  });

  test('grows leaf by leaf into what the definition says, and can be taken up at any size', () => {
    const all = many(70);
    const frontier = createFrontier();
    for (const [at, leaf] of all.entries()) {
      expect(hex(frontier.root())).toBe(hex(definedRoot(all.slice(0, at))));
      const resumed = createFrontier(frontier.size(), frontier.roots());
      expect(hex(resumed.root())).toBe(hex(frontier.root()));
      frontier.append(leaf);
    }
  });

  test('says which full subtrees a leaf completes, with their hashes', () => {
    const all = many(64);
    const frontier = createFrontier();
    const completed = new Map<string, string | undefined>();
    for (const leaf of all) frontier.append(leaf, (height, at, node) => completed.set(`${height}/${at}`, hex(node)));
    expect(completed.size).toBe(63);
    for (const [name, node] of completed) {
      const [height = 0, position = 0] = name.split('/').map(Number);
      expect(node, name).toBe(hex(nodesOf(all)(height, position)));
    }
  });
});

describe('proofs', () => {
  test('of inclusion lead to the root for every leaf of every tree, and to no other for any other leaf', () => {
    const all = many(33);
    for (let size = 1; size <= all.length; size++) {
      const root = hex(rootAt(size, nodesOf(all)));
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, nodesOf(all));
        const leaf = all[index] ?? Buffer.alloc(32);
        expect(hex(rootOfInclusion({ index, size, leaf, proof }))).toBe(root);
        expect(hex(rootOfInclusion({ index, size, leaf: Buffer.alloc(32), proof }))).not.toBe(root);
        expect(hex(rootOfInclusion({ index: (index + 1) % size, size, leaf, proof })) === root).toBe(size === 1);
        expect(rootOfInclusion({ index, size, leaf, proof: [...proof, leaf] })).toBeUndefined();
        if (proof.length > 0) {
          expect(rootOfInclusion({ index, size, leaf, proof: proof.slice(1) })).toBeUndefined();
        }
      }
    }
  });

  test('of consistency hold between any two sizes, and break with any other root', () => {
    const all = many(33);
    for (let size = 1; size <= all.length; size++) {
      for (let earlier = 1; earlier <= size; earlier++) {
        const proof = consistencyProof(earlier, size, nodesOf(all));
        const claim = {
          earlier,
          size,
          proof,
          earlierRoot: rootAt(earlier, nodesOf(all)),
          root: rootAt(size, nodesOf(all)),
        };
        expect(isConsistent(claim)).toBe(true);
        expect(isConsistent({ ...claim, root: Buffer.alloc(32) })).toBe(false);
        expect(isConsistent({ ...claim, earlierRoot: Buffer.alloc(32) })).toBe(false);
        expect(isConsistent({ ...claim, proof: [...proof, Buffer.alloc(32)] })).toBe(false);
        if (proof.length > 0) expect(isConsistent({ ...claim, proof: proof.slice(0, -1) })).toBe(false);
      }
    }
  });

  test('of a tree whose past was rewritten are not to be had', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 40 }), fc.nat(), (earlier, more, at) => {
        const honest = many(earlier + more);
        const forged = honest.map((leaf, index) => (index === at % earlier ? Buffer.alloc(32, 7) : leaf));
        const claim = {
          earlier,
          size: forged.length,
          earlierRoot: rootAt(earlier, nodesOf(honest)),
          root: rootAt(forged.length, nodesOf(forged)),
        };
        for (const source of [honest, forged]) {
          expect(isConsistent({ ...claim, proof: consistencyProof(earlier, forged.length, nodesOf(source)) })).toBe(
            false,
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  test('are refused for leaves and sizes that are not there', () => {
    expect(() => inclusionProof(3, 3, nodesOf(leaves))).toThrow(RangeError);
    expect(() => inclusionProof(-1, 3, nodesOf(leaves))).toThrow(RangeError);
    expect(() => consistencyProof(0, 3, nodesOf(leaves))).toThrow(RangeError);
    expect(() => consistencyProof(4, 3, nodesOf(leaves))).toThrow(RangeError);
    expect(
      isConsistent({ earlier: 0, earlierRoot: Buffer.alloc(32), size: 3, root: Buffer.alloc(32), proof: [] }),
    ).toBe(false);
  });
});
