/** Who wants to hear of something. */
export interface Listeners<Args extends readonly unknown[]> {
  /** Returns the way to stop. */
  add(listener: (...args: Args) => void): () => void;
  tell(...args: Args): void;
  readonly size: number;
}

/** Makes an empty set of listeners. The same function added twice is told twice. */
export function createListeners<Args extends readonly unknown[]>(): Listeners<Args> {
  const all = new Set<{ readonly listener: (...args: Args) => void }>();
  return {
    add(listener) {
      const entry = { listener };
      all.add(entry);
      return () => void all.delete(entry);
    },
    tell(...args) {
      for (const { listener } of [...all]) listener(...args);
    },
    get size() {
      return all.size;
    },
  };
}
