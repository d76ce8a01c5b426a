import { type Driver, defaultTimeoutMs, noAnswer, type Seen, type SendOptions, type SessionClient } from './driver.ts';
import { cursorMember, listPages } from './list-pages.ts';
import {
  callMembers,
  cancelText,
  type Era,
  initializedText,
  initializeText,
  listMethods,
  membersText,
  nextId,
  requestText,
} from './mcp-text.ts';
import { answerTo, questionIn } from './questions.ts';
import { readMcpAnswer } from './read-answer.ts';

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
  /** Begins every connection with `initialize`, as this client. Without it a legacy driver keeps no session. */
  readonly client?: SessionClient;
  /** Going away means closing the connection; otherwise the request is cancelled and the connection stays. */
  readonly leaves?: boolean;
}

interface Asking {
  readonly text: string;
  readonly id: string;
  readonly options: SendOptions;
}

type Settle = (answer: string | Seen) => void;

/** Makes a driver over a connection that is opened when it is first needed, and again when it is gone. */
export function conversation(options: ConversationOptions): Driver {
  const { name, era, more = [] } = options;
  const { ask, close } = createTalk(options);
  const see = async (asking: Asking): Promise<Seen> => {
    const answer = await ask(asking);
    return typeof answer === 'string' ? readMcpAnswer(answer) : answer;
  };
  const message = (method: string, members: readonly string[], sendOptions: SendOptions = {}): Asking => {
    const { capabilities } = sendOptions;
    const { id, text } = requestText(era, { method, members: [...members, ...more], capabilities });
    return { id, text, options: sendOptions };
  };

  return {
    name,
    takesText: true,
    list: (what = 'tools') =>
      listPages(async (cursor) => {
        const answer = await ask(message(listMethods[what], cursorMember(cursor)));
        return typeof answer === 'string' ? { text: answer, seen: readMcpAnswer(answer) } : answer;
      }),
    call: (tool, args, sendOptions) => see(message('tools/call', callMembers(tool, args), sendOptions)),
    ask: (method, params = {}, sendOptions) => see(message(method, membersText(params), sendOptions)),
    raw: (text, sendOptions = {}) => see({ text, id: nextId(), options: sendOptions }),
    close,
  };
}

/** Sends messages over a connection that is there when it is needed. */
interface Talk {
  readonly ask: (asking: Asking) => Promise<string | Seen>;
  readonly close: () => Promise<void>;
}

function createTalk({ open, client, leaves = false }: ConversationOptions): Talk {
  const waiting = createWaiting();
  let line: Promise<Line | Seen> | undefined;
  const openOnce = async (): Promise<Line | Seen> => {
    const opening = open({
      onMessage(text) {
        waiting.tell(text);
        const question = client === undefined ? undefined : questionIn(text);
        if (client === undefined || question === undefined) return waiting.onMessage(text);
        void Promise.all([opening, answerTo(client, question)]).then(([opened, reply]) => {
          if ('send' in opened) opened.send(reply);
        });
      },
      onClosed(reason) {
        waiting.settleAll(noAnswer(reason));
        line = undefined;
      },
    });
    const opened = await opening;
    if (client === undefined || !('send' in opened)) return opened;
    const greeting = { ...initializeText(client.capabilities ?? {}), options: {} };
    const greeted = await askOn(opened, { waiting, asking: greeting, leaves });
    const seen = typeof greeted === 'string' ? readMcpAnswer(greeted) : greeted;
    if (seen.kind !== 'answered') return seen;
    opened.send(initializedText);
    return opened;
  };
  const connected = async (): Promise<Line | Seen> => {
    const current = await line;
    if (current !== undefined && 'send' in current && current.isOpen) return current;
    line = openOnce();
    return line;
  };
  return {
    async ask(asking) {
      const current = await connected();
      return 'send' in current ? askOn(current, { waiting, asking, leaves }) : current;
    },
    async close() {
      const current = await line;
      if (current !== undefined && 'send' in current) current.close();
    },
  };
}

interface Question {
  readonly waiting: Waiting;
  readonly asking: Asking;
  readonly leaves: boolean;
}

/** Sends one message and waits until it is answered, its time is over or its caller goes away. */
function askOn(line: Line, { waiting, asking, leaves }: Question): Promise<string | Seen> {
  const { id, text, options } = asking;
  const { timeoutMs = defaultTimeoutMs, signal } = options;
  return new Promise((resolve) => {
    const done: Settle = (answer) => {
      clearTimeout(timer);
      waiting.forget(id);
      signal?.removeEventListener('abort', leave);
      resolve(answer);
    };
    const leave = (): void => {
      if (leaves) line.close();
      else line.send(cancelText(id));
      done(noAnswer('the caller went away'));
    };
    const timer = setTimeout(() => done(noAnswer('no answer in time')), timeoutMs);
    waiting.add(id, done, options.onMessage);
    signal?.addEventListener('abort', leave, { once: true });
    line.send(text);
    if (signal?.aborted) leave();
  });
}

/** The questions that are not answered yet. */
interface Waiting {
  add(id: string, settle: Settle, onMessage?: (text: string) => void): void;
  forget(id: string): void;
  readonly onMessage: (text: string) => void;
  /** Tells whoever listens of a message. */
  tell(text: string): void;
  settleAll(answer: Seen): void;
}

/** What could not be read may end the connection too: that is to be seen before the next message is sent. */
const endingMs = 5;

function createWaiting(): Waiting {
  /** Oldest first: an answer without an id belongs to the oldest question. */
  const open = new Map<string, Settle>();
  const listeners = new Map<string, (text: string) => void>();
  return {
    add(id, settle, listener) {
      open.set(id, settle);
      if (listener !== undefined) listeners.set(id, listener);
    },
    forget(id) {
      open.delete(id);
      listeners.delete(id);
    },
    tell(text) {
      for (const listener of listeners.values()) listener(text);
    },
    onMessage(text) {
      const id = answeredId(text);
      if (id === 'none') return;
      const key = id !== undefined && open.has(id) ? id : open.keys().next().value;
      const settle = key === undefined ? undefined : open.get(key);
      if (key !== undefined) open.delete(key);
      if (id === undefined) setTimeout(() => settle?.(text), endingMs);
      else settle?.(text);
    },
    settleAll(answer) {
      for (const settle of open.values()) settle(answer);
      open.clear();
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
