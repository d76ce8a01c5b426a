import { randomBytes } from 'node:crypto';

/** Secrets that were handed to a gateway, each of which can be told from all others wherever it turns up. */
export interface Plants {
  /** A new one: 32 letters and digits, with something before and after it where its shape matters. */
  plant(what: string, shape?: (secret: string) => string): string;
  /** Which of them are in a text or in bytes: plain, in base64 of any alignment, in hex, in escapes of URLs or JSON. */
  foundIn(where: string | Buffer): string[];
  readonly count: () => number;
}

/** Begins to plant. */
export function createPlants(): Plants {
  const planted = new Map<string, string>();
  return {
    plant: (what, shape = (secret) => secret) => {
      // Hex, so that no escaping changes it.
      const secret = randomBytes(16).toString('hex');
      planted.set(what, secret);
      return shape(secret);
    },
    foundIn: (where) => {
      const text = typeof where === 'string' ? where : where.toString('latin1');
      return [...planted]
        .filter(([, secret]) => spellings(secret).some((one) => text.includes(one)))
        .map(([what]) => what);
    },
    count: () => planted.size,
  };
}

function spellings(secret: string): string[] {
  const base64 = [0, 1, 2].map((shift) =>
    // What comes before moves the groups of three: of each alignment only the part that is the same whatever surrounds it.
    Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -6),
  );
  return [secret, secret.toUpperCase(), Buffer.from(secret).toString('hex'), ...base64];
}
