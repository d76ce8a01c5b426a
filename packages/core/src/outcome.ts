import type { CancelSignal, JsonText } from './call.ts';
import type { GatewayError } from './error.ts';
import type { ServiceStatus, Target } from './tool.ts';

/** How far a running call is, told to callers that asked. */
export interface Progress {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** How often each rule took something out of a text, by the rule's id. */
export type Redactions = Readonly<Record<string, number>>;

/** Both together; `undefined` where nothing was taken out at all. */
export function addRedactions(before: Redactions | undefined, more: Redactions | undefined): Redactions | undefined {
  if (before === undefined || more === undefined) return before ?? more;
  const sum = new Map(Object.entries(before));
  for (const [rule, count] of Object.entries(more)) sum.set(rule, (sum.get(rule) ?? 0) + count);
  return Object.fromEntries(sum);
}

/** What an upstream answered: the result of its method as text (an MCP `CallToolResult`, say), or its protocol error. */
export interface Answer {
  readonly text: JsonText;
  /** The tool itself reported failure; the call did go through. */
  readonly isError: boolean;
  /**
   * MCP's `resultType` where it is not `complete`: `input_required` (the service asks something; `text` holds the questions
   * and the state to bring back), `task` (it goes on in the background), or a word of the future.
   */
  readonly resultType?: string;
  /** `error`: `text` is a JSON-RPC error object `{code, message, data?}` in the service's own words. */
  readonly shape?: 'error';
  /** The HTTP status that such an error came with. */
  readonly status?: number;
  /** Which instance answered. */
  readonly instance: string;
  /** What the output filters took out of it. */
  readonly redacted?: Redactions;
  /** The span that the service was told of; tracing writes it down. */
  readonly spanId?: string;
  /** Whose answer it is; dispatch writes it down. */
  readonly service?: string;
  /** Of `input_required`: fires when the call is contained while its caller is asked. Whoever asks stops asking then. */
  readonly contained?: CancelSignal;
}

/** A page of a caller's view. */
export interface Listing {
  readonly targets: readonly Target[];
  readonly nextCursor?: string;
  /** Changes exactly when what this caller sees changes. Made when it is asked for. */
  readonly etag: () => string;
  readonly stale: boolean;
  /** Services that this caller may know of and that have never been seen: what they offer is missing here. */
  readonly absent: readonly string[];
  /** Services that this caller sees something of. */
  readonly services: readonly ServiceStatus[];
  /** Whose view it is (`accountKey`). */
  readonly account?: string;
  /** Which kinds of things this caller sees any of. */
  readonly offers: {
    readonly tools: boolean;
    readonly prompts: boolean;
    readonly resources: boolean;
    /** Whether calls of some tool may become tasks. */
    readonly tasks: boolean;
  };
}

/** Something a subscriber asked to hear of. */
export type ListenEvent =
  | { readonly kind: 'tools' | 'prompts' | 'resources' }
  /** `service`: whose it is. `uri` as the subscriber named it; `paramsText`: the server's params, under the server's names. */
  | {
      readonly kind: 'resource';
      readonly service: string;
      readonly uri: string;
      readonly paramsText: JsonText;
    }
  | { readonly kind: 'task'; readonly service: string; readonly taskId: string; readonly paramsText: JsonText };

/** An open subscription. */
export interface Subscription {
  /** What of the filter is listened to: the rest does not exist for this caller. */
  readonly resourceUris: readonly string[];
  readonly taskIds: readonly string[];
  /** Whose it is (`accountKey`). */
  readonly account: string;
  close(): void;
}

/** The call went through and this came back. */
export interface Answered<Content> {
  readonly kind: 'answered';
  readonly content: Content;
}

/** The call waits for somebody; asking again with the same arguments, or replying to the question, continues it. */
export interface Suspended {
  readonly kind: 'suspended';
  /** Names what it waits for: the id of an approval. */
  readonly question: string;
  /** One sentence for the caller. */
  readonly reason: string;
  /** After this nobody waits any more, in milliseconds since the epoch. */
  readonly expiresAtMs?: number;
  /** Resolves when it is time to make the same call again: it was granted, or nothing comes of it. Absent: nobody knows when. */
  readonly settled?: (signal: CancelSignal) => Promise<void>;
  /** How its caller may come back to it. The gateway adds it to what an approver said. */
  readonly ticket?: Ticket;
}

/** The ways back to a call that waits. Both are bound to who made it, what was called and with which arguments. */
export interface Ticket {
  /** How often the caller was sent away so far: 0 where it has not come back yet. */
  readonly round: number;
  /** MCP `requestState`: the same call continues with it. Made when it is asked for. @throws GatewayError `payload_too_large` */
  readonly requestState: () => string;
  /**
   * Lets the call wait, and then run, without its caller: answers with a task that is kept until then and for a while after.
   *
   * @param run resolves with the answer of the call that went through.
   * @throws GatewayError `sessions_exhausted`
   */
  readonly begin: (run: (background: Background) => Promise<Answer>) => Answer;
}

/** What a call in the background is given in the place of its caller. */
export interface Background {
  /** Fires when the task is cancelled, or forgotten. */
  readonly signal: CancelSignal;
  /** Says how it stands, to whoever asks. `undefined`: nothing in particular. */
  readonly tell: (message: string | undefined) => void;
}

/** The call did not go through, and why. */
export interface Refused {
  readonly kind: 'refused';
  readonly error: GatewayError;
}

/** How every call ends: one of three, and always exactly one. */
export type Outcome<Content> = Answered<Content> | Suspended | Refused;
