/** How many connections one account may keep open for streams that have no end of their own. */
export interface StreamRoom {
  /** Takes one. Returns how to give it back; undefined when there is none left for them. */
  take(account: string): (() => void) | undefined;
}

/** Makes room for so many streams of each: nobody shuts out everybody else by listening. */
export function createStreamRoom(maxPerAccount: number): StreamRoom {
  const open = new Map<string, number>();
  return {
    take(account) {
      const count = open.get(account) ?? 0;
      if (count >= maxPerAccount) return undefined;
      open.set(account, count + 1);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (open.get(account) ?? 1) - 1;
        if (left > 0) open.set(account, left);
        else open.delete(account);
      };
    },
  };
}
