import type { Logger } from 'pino';

/** How many lines about one server are logged: so many at once, and so many a second. */
const linesAtOnce = 100;
const linesPerSecond = 20;

/** Decides what of much is logged. */
export interface Allowance {
  /** Whether the next line may be. */
  take(): boolean;
  /** How many lines were left out since this was asked last. */
  leftOut(): number;
}

/** Makes an allowance that nothing was taken from. */
export function createAllowance(nowMs: () => number): Allowance {
  let left = linesAtOnce;
  let atMs = nowMs();
  let leftOut = 0;
  return {
    take() {
      const now = nowMs();
      left = Math.min(linesAtOnce, left + ((now - atMs) / 1_000) * linesPerSecond);
      atMs = now;
      if (left < 1) {
        leftOut += 1;
        return false;
      }
      left -= 1;
      return true;
    },
    leftOut() {
      const count = leftOut;
      leftOut = 0;
      return count;
    },
  };
}

/** Where complaints about a server go. */
export interface ComplaintOptions {
  readonly log: Logger;
  readonly service: string;
  readonly nowMs: () => number;
}

/** Makes what complains of a server in the log: a server that writes nonsense as fast as it can must not fill the disk. */
export function createComplaints({ log, service, nowMs }: ComplaintOptions): (message: string, facts?: object) => void {
  const allowance = createAllowance(nowMs);
  return (message, facts) => {
    if (!allowance.take()) return;
    const lines = allowance.leftOut();
    if (lines > 0) log.warn({ service, lines }, 'there was more to complain of than is logged');
    log.warn({ service, ...facts }, message);
  };
}
