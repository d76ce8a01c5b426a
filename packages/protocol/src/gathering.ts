/** The bytes of a body, as they come. */
export interface Gathering {
  add(piece: Uint8Array): void;
  /** What came so far. Not a copy: it is good until the next piece. */
  bytes(): Uint8Array;
}

/** Gathers bytes. However small the pieces, it holds no more than twice their bytes: never one object for each. */
export function createGathering(): Gathering {
  // Nearly every body comes in one piece, which needs no copy.
  let whole = new Uint8Array(0);
  let length = 0;
  return {
    add(piece) {
      const before = length;
      length += piece.length;
      if (before === 0) whole = piece as Uint8Array<ArrayBuffer>;
      else {
        if (whole.length < length) whole = grown(whole, before, length);
        whole.set(piece, before);
      }
    },
    bytes: () => whole.subarray(0, length),
  };
}

function grown(bytes: Uint8Array, used: number, needed: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(needed, used * 2));
  larger.set(bytes.subarray(0, used));
  return larger;
}
