import { type Logger, pino } from 'pino';

/** Writes a line: a message and its fields, in either order. An `Error` may stand for the fields. */
export interface LogMethod {
  (message: string, fields?: object): void;
  (fields: object, message?: string): void;
}

/** The logger of one call. */
export interface CallLogger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** The same with more fields on every line. */
  child(fields: object): CallLogger;
}

/** The logger of a service, when it brings none: JSON lines on standard output, written before going on. */
export function createLog(service: string, level: string | undefined): Logger {
  return pino({ level: level ?? 'info', base: { service } }, pino.destination({ fd: 1, sync: true }));
}

/** Gives a logger to a handler. pino wants the fields first; people write the message first, and would lose the fields. */
export function toCallLogger(log: Logger): CallLogger {
  const method =
    (level: 'debug' | 'info' | 'warn' | 'error'): LogMethod =>
    (first: string | object, second?: string | object) => {
      if (typeof first === 'string') log[level](second ?? {}, first);
      else if (typeof second === 'string') log[level](first, second);
      else log[level](first);
    };
  return {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    child: (fields) => toCallLogger(log.child(fields)),
  };
}
