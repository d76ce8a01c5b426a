import type { Classification, HopMethod, HopPrincipal, JsonObject, JsonValue, SideEffect } from '@sallyport/protocol';
import type { CallerQuestions, LogLevel } from './caller-options.ts';
import type { CallLogger } from './log.ts';
import type { InputOf, OutputOf, Schema } from './schema.ts';

/** Who is calling, as the gateway verified it. */
export type Principal = HopPrincipal;

/**
 * What a gateway vouches for about one call, beside who is calling: over the hop, whose channel is authenticated, or signed
 * (`assertion`). The service has checked all of it before the handler runs.
 */
export interface Statement {
  readonly by: 'hop' | 'assertion';
  /** Who says so: the gateway's name for itself. Over the hop it is whoever holds this service's credential. */
  readonly issuer?: string;
  /** The service that is meant: this one. */
  readonly audience: string;
  /** What is called, by its name here, and how. */
  readonly target: string;
  readonly method: HopMethod;
  readonly callId: string;
  /** The W3C `traceparent` of the call. */
  readonly trace: string;
  /** SHA-256 of the arguments as they came, base64url without padding. */
  readonly argumentsDigest: string;
  /** When nobody waits any more (hop), or the statement is good no more (assertion). */
  readonly expiresAt: Date;
}

/** What an argument has to be. All that is given must hold. */
export interface ArgumentBound {
  readonly enum?: readonly JsonValue[];
  /** Of numbers, both inclusive. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** Of texts, in characters. */
  readonly maxLength?: number;
  /** Nothing need be there; but if it is, it must hold. */
  readonly optional?: boolean;
}

/** How often something may be called, at this instance. */
export interface CallLimit {
  /** Calls per second, on average. */
  readonly rate: number;
  /** Calls at once. Default: one second of `rate`, at least 1. */
  readonly burst?: number;
  /** Each caller has so many (default), or all together. */
  readonly per?: 'caller' | 'all';
}

/**
 * What a tool permits, whoever let the call in: the service checks it itself before the handler runs. It can only refuse.
 */
export interface ToolPolicy {
  /** By JSON pointer (RFC 6901) into the arguments as they came: `{ '/amount': { maximum: 500 } }`. */
  readonly bounds?: Readonly<Record<string, ArgumentBound>>;
  /** Names of environments (`SALLYPORT_ENVIRONMENT`) in which it may be called at all. */
  readonly environments?: readonly string[];
  /** What kinds of callers, of those that a gateway vouches for. */
  readonly callers?: readonly Principal['kind'][];
  /** Only for what a user has said, as a gateway vouches (`principal.intent`). */
  readonly intent?: 'required';
}

/** How far a call is. */
export interface Progress {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** What a tool, a prompt or a resource says of itself. Absent fields get the careful default at the gateway. */
export interface Description {
  readonly title?: string;
  /** What it does and when to use it; agents choose by this. */
  readonly description?: string;
  /** Any one of these lets a caller in; none means any authenticated caller. */
  readonly scopes?: readonly string[];
  /** Reachable only by other services and the owner. */
  readonly internal?: boolean;
  readonly classification?: Classification;
  readonly risk?: 'low' | 'medium' | 'high';
  /** Kinds of data that it takes or gives, for the record: `health`, `payment`. */
  readonly dataCategories?: readonly string[];
  readonly owner?: string;
  readonly stability?: 'experimental' | 'stable' | 'deprecated';
  /** The intent to call must be durable in the audit before the call is made. */
  readonly auditRequired?: boolean;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs?: number;
}

/** What a tool says of itself, but for its schemas. The description is required in the end, here or in a later one. */
export interface ToolDescription extends Description {
  /** What calling it does to the world; undeclared means `write`. */
  readonly sideEffect?: SideEffect;
  /** Costs much to run: gets the tightest rate preset. */
  readonly expensive?: boolean;
  readonly idempotent?: boolean;
  /**
   * A call may go on as a task in the background (MCP's extension `io.modelcontextprotocol/tasks`): for callers that know
   * tasks. Others wait for the answer with `optional`, and are refused with `required`.
   */
  readonly task?: 'optional' | 'required';
  /** Checked here once more, before the handler runs. Stays at the service. */
  readonly policy?: ToolPolicy;
  /** How often it may be called here, beside the gateway's limits. Stays at the service. */
  readonly limit?: CallLimit;
  /** Calls to learn from, checked against the schemas at start. */
  readonly examples?: readonly { readonly input: JsonObject; readonly output?: JsonObject }[];
}

/** A description with the schemas that a handler is typed by. */
export interface ToolOptions<In extends Schema, Out extends Schema | undefined> extends ToolDescription {
  readonly input: In;
  /** What it answers. Without it, anything JSON can be returned and nothing is checked. */
  readonly output?: Out;
}

/** How a tool is written: checked input in, output to be checked out. */
export type Handler<In extends Schema, Out extends Schema | undefined> = (
  input: OutputOf<In>,
  ctx: ToolContext,
) => Returned<Out> | Promise<Returned<Out>>;

type Returned<Out> = Out extends Schema ? InputOf<Out> : unknown;

/** Choices for one call to another service. */
export interface CallOptions<S extends Schema | undefined = Schema | undefined> {
  /** Checks and types the answer. */
  readonly output?: S;
  /** Less time than what is left of the call being served, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Calls a tool of another service, `service.Handler.Method`, through the gateway. Throws `CallError`. */
export type CallTool = <S extends Schema | undefined = undefined>(
  tool: string,
  args: object,
  options?: CallOptions<S>,
) => Promise<S extends Schema ? OutputOf<S> : JsonValue>;

/** What every handler knows of the call it serves, and what it can do meanwhile. */
export interface HandlerContext extends CallerQuestions {
  /** The call's id: the same in the answer, the audit and every log line. */
  readonly traceId: string;
  /** The W3C `traceparent` to send with whatever this call causes. */
  readonly trace: string;
  /** What came along with the trace (W3C Baggage), of the keys that the gateway lets pass. Calls by `ctx.call` take it along. */
  readonly baggage: string | undefined;
  readonly principal: Principal;
  /** What a gateway vouches for, checked. Absent when the service is called without one. */
  readonly statement: Statement | undefined;
  /** When the caller stops waiting. */
  readonly deadline: Date;
  /** Fires at the deadline and when the caller cancels. */
  readonly signal: AbortSignal;
  /** A logger whose lines name this call. */
  readonly log: CallLogger;
  /** `Mcp-Trace-Id`, `Mcp-Tool-Name` and `Mcp-Account-Id`, for code that passes on headers. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tells the caller how far it is; does nothing when the caller did not ask. In a task the message becomes its status. */
  progress(progress: Progress): void;
  /**
   * Writes to the *caller's* log: does nothing unless it asked for messages of this level. Put nothing into it that the
   * caller may not know. What the service's operator is to read goes to `log`.
   */
  logToCaller(level: LogLevel, data: JsonValue, logger?: string): void;
  /** Calls another service's tool on behalf of the same principal: trace, deadline and cancel go with it. */
  readonly call: CallTool;
}

/** What the handler of a tool knows. */
export interface ToolContext extends HandlerContext {
  /** The tool's name at this service: `Handler.Method`. */
  readonly tool: string;
}
