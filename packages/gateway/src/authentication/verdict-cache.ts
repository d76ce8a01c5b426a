import { hash } from 'node:crypto';

/** Remembers what good tokens turned out to be. Never what bad ones did: those cost what they cost, each time. */
export interface VerdictCache<Verdict> {
  get(key: string): Verdict | undefined;
  set(key: string, verdict: Verdict): void;
  delete(key: string): void;
  clear(): void;
}

/** Holds the `capacity` verdicts that were asked for last. */
export function createVerdictCache<Verdict>(capacity: number): VerdictCache<Verdict> {
  const verdicts = new Map<string, Verdict>();
  return {
    get(key) {
      const verdict = verdicts.get(key);
      if (verdict === undefined) return undefined;
      // A map keeps the order in which keys came: the one asked for least recently is the first.
      verdicts.delete(key);
      verdicts.set(key, verdict);
      return verdict;
    },
    set(key, verdict) {
      verdicts.delete(key);
      if (verdicts.size >= capacity) {
        const [oldest] = verdicts.keys();
        if (oldest !== undefined) verdicts.delete(oldest);
      }
      verdicts.set(key, verdict);
    },
    delete: (key) => {
      verdicts.delete(key);
    },
    clear: () => verdicts.clear(),
  };
}

/** What a token is remembered by, so that the token itself is not: SHA-256, base64url. Also its `ath` (RFC 9449 §4.2). */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'base64url');
}
