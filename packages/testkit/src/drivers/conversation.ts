import { type Driver, defaultTimeoutMs, noAnswer, type Seen, type SendOptions } from './driver.ts';
import { callText, cancelText, type Era, nextId, requestText } from './mcp-text.ts';
import { nextCursorOf, readMcpAnswer } from './read-answer.ts';

/** An open connection that carries JSON-RPC messages both ways. */
export interface Line {
  send(text: string): void;
  /** Whether it can still be used; a driver opens another one otherwise. */
  readonly isOpen: boolean;
  close(): void;
}

/** What a connection tells its driver. */
export interface LineEvents {
  readonly onMessage: (text: string) => void;
  /** Nothing will come any more; `reason` is for the reader of a failed test. */
  readonly onClosed: (reason: string) => void;
}

/** What a driver over a connection is made of. */
export interface ConversationOptions {
  readonly name: string;
  readonly era: Era;
  /** Opens a connection, or says what came instead of one. */
  readonly open: (events: LineEvents) => Promise<Line | Seen>;
  /** Members that every `params` carries, as text. */
  readonly more?: readonly string[];
  /** Going away means closing the connection; otherwise the request is cancelled and the connection stays. */
  readonly leaves?: boolean;
}

const endingMs = 5;

interface Asking {
  readonly text: string;
  readonly id: string;
  readonly options: SendOptions;
}

/** Makes a driver over a connection that is opened when it is first needed, and again when it is gone. */
export function conversation({ name, era, open, more = [], leaves = false }: ConversationOptions): Driver {
  /** Oldest first: an answer without an id belongs to the oldest question. */
  const waiting = new Map<string, (text: string | Seen) => void>();
  let line: Promise<Line | Seen> | undefined;

  const events: LineEvents = {
    onMessage: (text) => {
      const id = answeredId(text);
      if (id === 'none') return;
      const key = id !== undefined && waiting.has(id) ? id : waiting.keys().next().value;
      const settle = key === undefined ? undefined : waiting.get(key);
      if (key !== undefined) waiting.delete(key);
      // What could not be read may end the connection too: that is to be seen before the next message is sent.
      if (id === undefined) setTimeout(() => settle?.(text), endingMs);
      else settle?.(text);
    },
    onClosed: (reason) => {
      for (const settle of waiting.values()) settle(noAnswer(reason));
      waiting.clear();
      line = undefined;
    },
  };
  const connected = async (): Promise<Line | Seen> => {
    const current = await line;
    if (current !== undefined && 'send' in current && current.isOpen) return current;
    line = open(events);
    return line;
  };
  const ask = async ({ text, id, options }: Asking): Promise<string | Seen> => {
    const current = await connected();
    if (!('send' in current)) return current;
    return new Promise((resolve) => {
      const done = (answer: string | Seen): void => {
        clearTimeout(timer);
        waiting.delete(id);
        options.signal?.removeEventListener('abort', leave);
        resolve(answer);
      };
      const leave = (): void => {
        if (leaves) current.close();
        else current.send(cancelText(id));
        done(noAnswer('the caller went away'));
      };
      const timer = setTimeout(() => done(noAnswer('no answer in time')), options.timeoutMs ?? defaultTimeoutMs);
      waiting.set(id, done);
      options.signal?.addEventListener('abort', leave, { once: true });
      current.send(text);
      if (options.signal?.aborted) leave();
    });
  };
  const see = async (asking: Asking): Promise<Seen> => {
    const answer = await ask(asking);
    return typeof answer === 'string' ? readMcpAnswer(answer) : answer;
  };

  return {
    name,
    takesText: true,
    async list() {
      const names: string[] = [];
      let cursor: string | undefined;
      for (;;) {
        const position = cursor === undefined ? [] : [`"cursor":${JSON.stringify(cursor)}`];
        const { id, text } = requestText(era, 'tools/list', [...position, ...more]);
        const answer = await ask({ id, text, options: {} });
        if (typeof answer !== 'string') return answer;
        const seen = readMcpAnswer(answer);
        if (!Array.isArray(seen.result)) return seen;
        names.push(...(seen.result as string[]));
        cursor = nextCursorOf(answer);
        if (cursor === undefined) return { ...seen, result: names };
      }
    },
    call: (tool, args, options = {}) => see({ ...callText(era, tool, { args, more }), options }),
    raw: (text, options = {}) => see({ text, id: nextId(), options }),
    async close() {
      const current = await line;
      if (current !== undefined && 'send' in current) current.close();
    },
  };
}

/** The id of an answer as text; `none` for messages that answer nothing. */
function answeredId(text: string): string | undefined {
  try {
    const message = JSON.parse(text) as { id?: unknown; method?: unknown };
    if (message.method !== undefined) return 'none';
    return typeof message.id === 'string' ? message.id : undefined;
  } catch {
    return undefined;
  }
}
