import { type Logger, pino } from 'pino';

/** The logger of a service, when it brings none: JSON lines on standard output, written before going on. */
export function createLog(service: string, level: string | undefined): Logger {
  return pino({ level: level ?? 'info', base: { service } }, pino.destination({ fd: 1, sync: true }));
}
