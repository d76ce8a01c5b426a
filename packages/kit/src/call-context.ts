import type { Logger } from 'pino';
import { type CallLogger, toCallLogger } from './log.ts';
import type { CallTool, Principal, Progress, ToolContext } from './tool-options.ts';

/** A call as a face hands it in. */
export interface IncomingCall {
  /** `Handler.Method`. */
  readonly tool: string;
  readonly id: string;
  readonly traceparent: string;
  readonly timeoutMs: number;
  readonly principal: Principal;
  /** Parsed for this call alone. */
  readonly arguments: object;
  /** Present when the caller wants to hear of progress. */
  readonly onProgress?: (progress: Progress) => void;
  /** Calls other services while this one is served. */
  readonly callTool: (context: CallScope) => CallTool;
}

/** What a call to another service inherits from the one being served. */
export interface CallScope {
  readonly traceId: string;
  readonly trace: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** What every context of a service shares. */
export interface ContextShared {
  readonly service: string;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/**
 * The context of one call. A class with getters, because most handlers use little of it: a logger, a signal and dates
 * made for every call would cost more than the rest of the call.
 */
export class CallContext implements ToolContext {
  readonly traceId: string;
  readonly trace: string;
  readonly tool: string;
  readonly principal: Principal;
  readonly deadlineMs: number;
  readonly #incoming: IncomingCall;
  readonly #shared: ContextShared;
  #aborted: Error | undefined;
  #controller: AbortController | undefined;
  #log: CallLogger | undefined;
  #call: CallTool | undefined;

  constructor(incoming: IncomingCall, shared: ContextShared) {
    this.traceId = incoming.id;
    this.trace = incoming.traceparent;
    this.tool = incoming.tool;
    this.principal = incoming.principal;
    this.deadlineMs = shared.nowMs() + incoming.timeoutMs;
    this.#incoming = incoming;
    this.#shared = shared;
  }

  get deadline(): Date {
    return new Date(this.deadlineMs);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  get log(): CallLogger {
    this.#log ??= toCallLogger(
      this.#shared.log.child({ trace: this.traceId, traceparent: this.trace, tool: this.tool }),
    );
    return this.#log;
  }

  get metadata(): Readonly<Record<string, string>> {
    return {
      'Mcp-Trace-Id': this.traceId,
      'Mcp-Tool-Name': `${this.#shared.service}.${this.tool}`,
      'Mcp-Account-Id': this.principal.subject,
    };
  }

  get call(): CallTool {
    this.#call ??= this.#incoming.callTool(this);
    return this.#call;
  }

  progress(progress: Progress): void {
    if (this.#aborted === undefined) this.#incoming.onProgress?.(progress);
  }

  /** Whether nobody waits for the answer any more. */
  get abandoned(): boolean {
    return this.#aborted !== undefined;
  }

  /** Fires the signal, for whoever looks at it or will. */
  abandon(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }
}
