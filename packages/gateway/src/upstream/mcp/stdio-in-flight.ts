import { GatewayError, type JsonText } from '@sallyport/core';
import { type JsonObject, metaKeys } from '@sallyport/protocol';
import type { ConversationRequest, ServerAnswer } from './conversation.ts';
import { readProgressFor } from './message.ts';

/** A request that has no answer yet. It ends once, by whoever takes it out first. */
export interface InFlight {
  readonly id: number;
  readonly request: ConversationRequest;
  readonly isModern: boolean;
  /** Whether it asked for log messages: modern servers write none for those that did not. */
  readonly wantsLogs: boolean;
  /** Elicitations by URL that the server began in its course, and tells the end of. */
  readonly elicitations: Set<string>;
  /** Runs when it has ended, however: whatever the server still asks is declined. */
  readonly onEnd: Set<() => void>;
  progress(params: JsonObject): void;
  settle(answer: ServerAnswer): void;
  fail(error: unknown): void;
}

/** The requests in flight with one process, by id; which is also their progress token. */
export interface RequestsInFlight {
  readonly size: number;
  add(entry: Omit<InFlight, 'elicitations' | 'onEnd' | 'progress' | 'wantsLogs'>): InFlight;
  get(id: unknown): InFlight | undefined;
  /** Takes one out, to be ended by the caller of this; `undefined` when it has ended already. */
  take(id: unknown): InFlight | undefined;
  /** Those that a message without a name on it may belong to, oldest first. */
  suspects(): readonly InFlight[];
  all(): readonly InFlight[];
  /** A request was given up, but its server may go on with it, and ask. */
  linger(entry: InFlight): void;
  /** Whether a request of another owner that was given up may still be worked on; without an owner, any counts as such. */
  lingersOfOther(owner: string | undefined): boolean;
}

/** What a request was given up for so long ago is not worked on any more, in milliseconds. */
const lingersMs = 300_000;
const mostLingering = 1_024;
const tooMany = Symbol('too many');

/** In the course of these, servers ask nothing and log nothing of a caller's. */
const quiet: ReadonlySet<string> = new Set([
  ...['initialize', 'ping', 'server/discover', 'subscriptions/listen', 'logging/setLevel'],
  ...['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'],
  ...['resources/subscribe', 'resources/unsubscribe', 'tasks/get', 'tasks/list', 'tasks/cancel', 'tasks/update'],
]);

/** Makes an empty set. */
export function createRequestsInFlight(nowMs: () => number): RequestsInFlight {
  const requests = new Map<unknown, InFlight>();
  /** Whose each is, and until when it counts. */
  const lingering = new Map<unknown, { readonly owner: string | undefined; readonly untilMs: number }>();

  return {
    get size() {
      return requests.size;
    },
    add(entry) {
      const { id, request } = entry;
      const inFlight = { ...entry, wantsLogs: wantsLogs(request), ...traces(id, request) };
      requests.set(id, inFlight);
      return inFlight;
    },
    get: (id) => requests.get(id),
    take(id) {
      const entry = requests.get(id);
      requests.delete(id);
      lingering.delete(id);
      for (const run of entry?.onEnd ?? []) run();
      return entry;
    },
    suspects: () => [...requests.values()].filter(({ request }) => !quiet.has(request.method)),
    all: () => [...requests.values()],
    linger({ id, request, isModern }) {
      if (isModern || quiet.has(request.method)) return;
      const untilMs = nowMs() + lingersMs;
      if (lingering.size < mostLingering) lingering.set(id, { owner: request.owner, untilMs });
      // Whose they are is not kept any more: together they count as those of nobody that is known.
      else lingering.set(tooMany, { owner: undefined, untilMs });
    },
    lingersOfOther(owner) {
      for (const [id, { untilMs }] of lingering) if (untilMs <= nowMs()) lingering.delete(id);
      return [...lingering.values()].some((each) => owner === undefined || each.owner !== owner);
    },
  };
}

function wantsLogs({ meta, paramsText }: ConversationRequest): boolean {
  return meta?.[metaKeys.logLevel] !== undefined || paramsText.includes(`"${metaKeys.logLevel}"`);
}

function traces(id: number, { onProgress }: ConversationRequest) {
  let last = Number.NEGATIVE_INFINITY;
  return {
    elicitations: new Set<string>(),
    onEnd: new Set<() => void>(),
    progress(params: JsonObject): void {
      const progress = onProgress && readProgressFor(params, id);
      // Progress must grow (MCP basic/patterns/progress); what does not is dropped.
      if (progress === undefined || progress.progress <= last) return;
      last = progress.progress;
      onProgress?.(progress);
    },
  };
}

/** Raw line ends can only stand between tokens; here they would end the message. */
export function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]/g, ' ') : text;
}

/** Nobody knows what became of a request whose first byte had left. */
export function lostInFlight(cause: string): GatewayError {
  return new GatewayError('upstream_failed', {}, { cause });
}

/** What a subscription ends with that its server ended without an answer (MCP 2026-07-28, cancellation). */
export const endOfSubscription: ServerAnswer = {
  kind: 'result',
  text: '{"resultType":"complete"}' as JsonText,
  value: { resultType: 'complete' },
};
