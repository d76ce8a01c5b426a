import type { LogRoom } from './event-log.ts';

/**
 * Shares room among accounts: each has so many characters of it at most, so that nobody who lets much be kept leaves others
 * without anything to come back to.
 */
export function createLogRooms(shared: LogRoom, maxPerAccount: number): (account: string) => LogRoom {
  const taken = new Map<string, number>();
  return (account) => ({
    take(length) {
      const sum = (taken.get(account) ?? 0) + length;
      if (sum > maxPerAccount || !shared.take(length)) return false;
      taken.set(account, sum);
      return true;
    },
    give(length) {
      shared.give(length);
      const left = (taken.get(account) ?? 0) - length;
      if (left > 0) taken.set(account, left);
      else taken.delete(account);
    },
  });
}
