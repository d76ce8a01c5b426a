/** Tells listeners that something changed: many changes in one turn are told once, after it. */
export interface Changes {
  note(): void;
  onChange(listener: () => void): () => void;
}

/** Makes a source of change events. `before` runs once per turn, before the listeners hear of it. */
export function createChanges(before: () => void = () => undefined): Changes {
  const listeners = new Set<() => void>();
  let noted = false;
  const tell = (): void => {
    noted = false;
    before();
    for (const listener of [...listeners]) listener();
  };
  return {
    note() {
      if (noted) return;
      noted = true;
      queueMicrotask(tell);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
