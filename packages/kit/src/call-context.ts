import type { HopClient, HopMethod, HopRetry, JsonValue } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Questions } from './asking/questions.ts';
import {
  type Elicited,
  type FormQuestion,
  type LogLevel,
  logLevels,
  type Root,
  type SamplingAnswer,
  type SamplingRequest,
  type UrlQuestion,
} from './caller-options.ts';
import { type CallLogger, toCallLogger } from './log.ts';
import type { Schema } from './schema.ts';
import type { CallTool, Principal, Progress, Statement, ToolContext } from './tool-options.ts';

/** A call as a face hands it in. */
export interface IncomingCall {
  /** What is meant, by its name here: `Handler.Method` of a tool, a prompt's name, a URI or a template; empty if unknown. */
  readonly tool: string;
  /** Absent: `tools/call`. */
  readonly method?: HopMethod;
  readonly id: string;
  readonly traceparent: string;
  /** W3C Baggage of the caller, as far as the gateway lets it pass. */
  readonly baggage?: string;
  readonly timeoutMs: number;
  readonly principal: Principal;
  /** What a gateway vouches for. Absent: nobody does, and `principal` says nothing. */
  readonly statement?: Statement;
  /** The scopes of which the caller needs one, where the operator has replaced those that were declared. */
  readonly needs?: readonly string[];
  /** Parsed for this call alone. */
  readonly arguments: object;
  /** What the caller can be asked, and wants to hear. */
  readonly client?: HopClient;
  /** Goes on with a call that asked something. */
  readonly retry?: HopRetry;
  /** Present when the caller wants to hear of progress. */
  readonly onProgress?: (progress: Progress) => void;
  /** Sends a message of at least `client.logLevel`. */
  readonly onLog?: (level: LogLevel, data: JsonValue, logger: string | undefined) => void;
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

/** Passes questions on to the caller. */
export interface Asker {
  /** The handler asks something that the caller has not been asked yet. */
  asked(): void;
}

/**
 * The context of one call. A class with getters, because most handlers use little of it: a logger, a signal and dates
 * made for every call would cost more than the rest of the call.
 */
export class CallContext implements ToolContext {
  readonly tool: string;
  readonly principal: Principal;
  /** Whoever passes questions on. An object and no function: a closure for every call has cost half a call in garbage. */
  asker: Asker | undefined;
  #incoming: IncomingCall;
  #deadlineMs: number;
  readonly #shared: ContextShared;
  #aborted: Error | undefined;
  #controller: AbortController | undefined;
  #log: CallLogger | undefined;
  #call: CallTool | undefined;
  #questions: Questions | undefined;

  constructor(incoming: IncomingCall, shared: ContextShared) {
    this.tool = incoming.tool;
    this.principal = incoming.principal;
    this.#incoming = incoming;
    this.#shared = shared;
    this.#deadlineMs = shared.nowMs() + incoming.timeoutMs;
  }

  /** The caller came back: from now on this is the call that is served. */
  goOnWith(incoming: IncomingCall): void {
    this.#incoming = incoming;
    this.#deadlineMs = this.#shared.nowMs() + incoming.timeoutMs;
    this.#log = undefined;
    this.#call = undefined;
  }

  get traceId(): string {
    return this.#incoming.id;
  }

  get trace(): string {
    return this.#incoming.traceparent;
  }

  get baggage(): string | undefined {
    return this.#incoming.baggage;
  }

  /** The same name, for prompts. */
  get prompt(): string {
    return this.tool;
  }

  /** The same name, for resources. */
  get uri(): string {
    return this.tool;
  }

  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  get deadline(): Date {
    return new Date(this.#deadlineMs);
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

  get statement(): Statement | undefined {
    return this.#incoming.statement;
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

  logToCaller(level: LogLevel, data: JsonValue, logger?: string): void {
    const { client, onLog } = this.#incoming;
    if (this.#aborted !== undefined || client?.logLevel === undefined || onLog === undefined) return;
    const least = (logLevels as readonly string[]).indexOf(client.logLevel);
    if (least !== -1 && logLevels.indexOf(level) >= least) onLog(level, data, logger);
  }

  async elicit<S extends Schema>(question: FormQuestion<S> | UrlQuestion): Promise<Elicited<never>> {
    const { elicit } = await import('./asking/ask.ts');
    return elicit(await this.#asked(), question);
  }

  async sample(request: SamplingRequest): Promise<SamplingAnswer> {
    const { sample } = await import('./asking/ask.ts');
    return sample(await this.#asked(), request);
  }

  async roots(): Promise<readonly Root[]> {
    const { listRoots } = await import('./asking/ask.ts');
    return listRoots(await this.#asked());
  }

  /** What was asked and not answered yet; absent when nothing ever was. */
  get questions(): Questions | undefined {
    return this.#questions;
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
    this.#questions?.fail(reason);
  }

  /** Imported by calls that ask something, and no others. */
  async #asked() {
    const { createQuestions } = await import('./asking/questions.ts');
    if (this.#aborted !== undefined) throw this.#aborted;
    this.#questions ??= createQuestions(() => this.asker?.asked());
    return { questions: this.#questions, capabilities: this.#incoming.client?.capabilities ?? {} };
  }
}
