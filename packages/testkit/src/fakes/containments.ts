import { type Containments, GatewayError, type StoredContainment } from '@sallyport/core';

/** Containments in memory, for tests. */
export function memoryContainments(): Containments {
  const all = new Map<string, StoredContainment>();
  const hasEnded = ({ lifted, expiresAtMs }: StoredContainment, nowMs: number): boolean =>
    lifted !== undefined || (expiresAtMs !== undefined && expiresAtMs <= nowMs);
  const byTime = (): StoredContainment[] => [...all.values()].sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
  return {
    async add(containment) {
      if (all.has(containment.id)) throw new GatewayError('conflict');
      all.set(containment.id, containment);
    },
    async lift(id, lifted) {
      const found = all.get(id);
      if (found === undefined || hasEnded(found, lifted.atMs)) return undefined;
      const after = { ...found, lifted };
      all.set(id, after);
      return after;
    },
    standing: async (nowMs) => byTime().filter((one) => !hasEnded(one, nowMs)),
    list: async (limit) => byTime().reverse().slice(0, limit),
    async prune(beforeMs) {
      const old = [...all.values()].filter(
        ({ lifted, expiresAtMs }) => (lifted?.atMs ?? beforeMs) < beforeMs || (expiresAtMs ?? beforeMs) < beforeMs,
      );
      for (const { id } of old) all.delete(id);
      return old.length;
    },
  };
}
