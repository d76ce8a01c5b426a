/** What has to be ended when a gateway ends, in the opposite order of its beginning. */
export interface Lifetime {
  onClose(closer: () => Promise<void> | void): void;
  /** Ends everything once; a closer that fails does not keep the others from running. */
  close(): Promise<void>;
}

/** Begins a lifetime in which nothing has been opened yet. */
export function createLifetime(): Lifetime {
  const closers: (() => Promise<void> | void)[] = [];
  return {
    onClose: (closer) => void closers.push(closer),
    async close() {
      const failures: unknown[] = [];
      for (const closer of closers.splice(0).reverse()) {
        try {
          await closer();
        } catch (failure) {
          failures.push(failure);
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'the gateway did not end cleanly');
    },
  };
}
