import type { JsonObject, JsonValue } from '@sallyport/protocol';
import type { OutputOf, Schema } from './schema.ts';

/** A question to the person behind the caller, to be answered in a form: text, numbers, choices, in one flat object. */
export interface FormQuestion<S extends Schema = Schema> {
  readonly message: string;
  /** Checks and types the answer. MCP allows members that are texts, numbers, booleans and enumerations only. */
  readonly schema: S;
}

/** A page that the person behind the caller is to visit: for what must not pass through the caller, like a password. */
export interface UrlQuestion {
  readonly message: string;
  readonly url: string;
}

/** What became of a question. Only `accept` is an answer; `decline` says no, `cancel` says nothing. */
export type Elicited<Content> =
  | { readonly action: 'accept'; readonly content: Content }
  | { readonly action: 'decline' | 'cancel'; readonly content?: undefined };

/** A part of a message to or from a model: `{type: 'text', text}` and what else MCP has. */
export type ModelContent = JsonObject;

/** What the caller's model is asked for: the parameters of MCP's `sampling/createMessage`, of which these are the usual ones. */
export interface SamplingRequest {
  readonly messages: readonly {
    readonly role: 'user' | 'assistant';
    readonly content: ModelContent | readonly ModelContent[];
  }[];
  readonly maxTokens: number;
  readonly systemPrompt?: string;
  readonly temperature?: number;
  readonly stopSequences?: readonly string[];
  readonly [more: string]: JsonValue | undefined;
}

/** What the caller's model said. */
export interface SamplingAnswer {
  readonly role: 'user' | 'assistant';
  readonly content: ModelContent | readonly ModelContent[];
  readonly model: string;
  readonly stopReason?: string;
}

/** A folder that the caller lets services work in. */
export interface Root {
  readonly uri: string;
  readonly name?: string;
}

/** How severe a log message is, as RFC 5424 has it; the least severe first. */
export const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const;

/** One of `logLevels`. */
export type LogLevel = (typeof logLevels)[number];

/** Asks whoever calls. All of them throw `CallError` (`failed_precondition`) when the caller cannot be asked. */
export interface CallerQuestions {
  /**
   * Asks the person behind the caller. The handler waits, for minutes perhaps: hold no lock and no transaction meanwhile.
   * Several questions at a time are put together. Throws `ToolError` for an answer that does not match the schema.
   */
  elicit<S extends Schema>(question: FormQuestion<S>): Promise<Elicited<OutputOf<S>>>;
  elicit(question: UrlQuestion): Promise<Elicited<undefined>>;
  /** Asks the caller's model. */
  sample(request: SamplingRequest): Promise<SamplingAnswer>;
  /** Asks which folders the caller works in. */
  roots(): Promise<readonly Root[]>;
}
