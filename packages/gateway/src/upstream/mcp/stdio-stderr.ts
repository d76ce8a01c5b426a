import type { Logger } from 'pino';
import { createAllowance } from './stdio-allowance.ts';
import { createLineReader, type LineReader } from './stdio-lines.ts';

/** Where the lines go. */
export interface StderrLogOptions {
  readonly log: Logger;
  readonly service: string;
  readonly pid: number | undefined;
  /** Values that are blotted out wherever they are printed. */
  readonly secrets: readonly string[];
  readonly nowMs: () => number;
}

const longestLine = 4 * 1024;
/** Shorter values are found everywhere and hide nothing. */
const shortestSecret = 6;

/**
 * Reads what a server writes to its error output and writes it to the log, line by line: so many a second, cut, and
 * without what the configuration gave the server to keep. It is no sign of an error (MCP 2026-07-28, stdio).
 */
export function createStderrLog({ log, service, pid, secrets, nowMs }: StderrLogOptions): LineReader {
  const hidden = secrets.filter((secret) => secret.length >= shortestSecret).sort((a, b) => b.length - a.length);
  const allowance = createAllowance(nowMs);

  const tellLeftOut = (): void => {
    const lines = allowance.leftOut();
    if (lines > 0) log.warn({ service, pid, lines }, 'the server wrote more lines than are logged');
  };

  const write = (bytes: Buffer): void => {
    if (!allowance.take()) return;
    tellLeftOut();
    const text = bytes.toString('utf8').trimEnd();
    if (text === '') return;
    const shown = hidden.reduce((shorter, secret) => shorter.replaceAll(secret, '[hidden]'), text);
    log.info({ service, pid, line: shown }, 'the server wrote a line');
  };

  const lines = createLineReader({
    maxBytes: longestLine,
    onLine: write,
    // A secret that lies across a cut would show in part.
    onTooLong: ({ bytes }) => write(Buffer.from(`[a line of ${bytes} bytes]`)),
  });
  return {
    push: lines.push,
    end() {
      lines.end();
      tellLeftOut();
    },
  };
}
