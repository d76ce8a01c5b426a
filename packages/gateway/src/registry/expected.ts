import type { Registration } from '@sallyport/core';

const defaultSettleMs = 10_000;

/** Services that are waited for after the start. */
export interface Expected {
  /** True while one of them was never seen, and not for ever. */
  readonly missing: boolean;
  /** Those that were never seen, for as long as they are not. */
  readonly absent: readonly string[];
  saw(registrations: readonly Registration[]): void;
  close(): void;
}

/** What waiting needs. */
export interface ExpectedOptions {
  /** Runs once nobody is waited for any longer. */
  readonly onSettled: () => void;
  /** How long they are waited for, in milliseconds. Default 10,000. */
  readonly settleMs?: number;
}

/** Waits for these services: until then the catalog does not count as complete. */
export function createExpected(services: readonly string[], options: ExpectedOptions): Expected {
  const { onSettled, settleMs = defaultSettleMs } = options;
  const missing = new Set(services);
  const absent = new Set(services);
  const over = setTimeout(() => {
    missing.clear();
    onSettled();
  }, settleMs);
  return {
    get missing() {
      return missing.size > 0;
    },
    get absent() {
      return [...absent];
    },
    saw(registrations) {
      for (const { manifest, state } of registrations) {
        absent.delete(manifest.service);
        // What is only remembered is still waited for.
        if (state !== 'stale') missing.delete(manifest.service);
      }
    },
    close: () => clearTimeout(over),
  };
}
