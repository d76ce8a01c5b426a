/**
 * Lets one after the other at a SQLite file within this process. Connections of several processes wait for each other by
 * themselves; those of one process must not, since SQLite blocks it, and with it the transaction that is waited for.
 */
export interface Gate {
  /** Resolves when it is the caller's turn, which lasts until `leave`. */
  enter(): Promise<void>;
  leave(): void;
  /** `undefined`: nobody is in. Otherwise resolves when nobody is; somebody may have come in again by then. */
  idle(): Promise<void> | undefined;
}

/** One per file, for as long as somebody has it open. */
const gates = new Map<string, { readonly gate: Gate; users: number }>();

/** The gate of a file, and how to say that it is not needed any more. */
export function openGate(path: string): { readonly gate: Gate; readonly close: () => void } {
  const shared = gates.get(path) ?? { gate: createGate(), users: 0 };
  gates.set(path, shared);
  shared.users++;
  let isOpen = true;
  return {
    gate: shared.gate,
    close() {
      if (isOpen) shared.users--;
      isOpen = false;
      if (shared.users === 0) gates.delete(path);
    },
  };
}

function createGate(): Gate {
  const waiting: (() => void)[] = [];
  let isTaken = false;
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) isTaken = false;
    else next();
  };
  const enter = async (): Promise<void> => {
    if (isTaken) return new Promise((resolve) => waiting.push(resolve));
    isTaken = true;
  };
  return { enter, leave, idle: () => (isTaken ? enter().then(leave) : undefined) };
}
