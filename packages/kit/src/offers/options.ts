import type { JsonObject } from '@sallyport/protocol';
import type { Description, HandlerContext, Principal } from '../tool-options.ts';

/** What a completion may look at. */
export interface CompletionContext {
  /** Arguments or variables that are filled in already. */
  readonly arguments: Readonly<Record<string, string>>;
  readonly principal: Principal;
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** Offers values that begin like `value`. At most a hundred are passed on. */
export type Complete = (value: string, context: CompletionContext) => readonly string[] | Promise<readonly string[]>;

/** One argument of a prompt. Arguments are texts. */
export interface PromptArgument {
  readonly title?: string;
  readonly description?: string;
  readonly required?: boolean;
  readonly complete?: Complete;
}

/** What a prompt says of itself. */
export interface PromptOptions<Arguments extends Readonly<Record<string, PromptArgument>>> extends Description {
  readonly description: string;
  readonly arguments?: Arguments;
}

/** What a prompt's handler gets: what is required is there. */
export type ArgumentsOf<Arguments> = {
  readonly [Name in keyof Arguments]: Arguments[Name] extends { readonly required: true } ? string : string | undefined;
};

/** A message of a prompt. `content` is text, or a content block as MCP has it. */
export interface PromptMessage {
  readonly role: 'user' | 'assistant';
  readonly content: string | JsonObject;
}

/** What a prompt gives: a message of the user's, messages, or both and what they are. */
export type PromptOutput =
  | string
  | readonly PromptMessage[]
  | { readonly description?: string; readonly messages: readonly PromptMessage[] };

/** What the handler of a prompt knows. */
export interface PromptContext extends HandlerContext {
  /** The prompt's name at this service. */
  readonly prompt: string;
}

/** How a prompt is written. */
export type PromptHandler<Arguments> = (
  args: ArgumentsOf<Arguments>,
  ctx: PromptContext,
) => PromptOutput | Promise<PromptOutput>;

/** What a resource says of itself. */
export interface ResourceOptions extends Description {
  /** What people call it. */
  readonly name: string;
  readonly description: string;
  readonly mimeType?: string;
  /** Callers may ask to be told when it changes: `service.resourceUpdated(uri)` tells them. */
  readonly subscribe?: boolean;
}

/** What a family of resources says of itself. */
export interface TemplateOptions<Template extends string> extends ResourceOptions {
  /** Values for its variables. */
  readonly complete?: { readonly [Variable in VariablesOf<Template>]?: Complete };
}

/** The names of the variables of a template. */
export type VariablesOf<Template extends string> = string extends Template
  ? string
  : Template extends `${string}{${infer Variable}}${infer Rest}`
    ? Variable | VariablesOf<Rest>
    : never;

/** A piece of a resource, when there are several or they need saying more of. */
export interface Contents {
  /** Default: the URI that was read. */
  readonly uri?: string;
  /** Default: the resource's. */
  readonly mimeType?: string;
  readonly content: string | Uint8Array;
}

/** What reading gives: text, bytes, or pieces. */
export type ResourceOutput = string | Uint8Array | Contents | readonly Contents[];

/** What the handler of a resource knows. */
export interface ResourceContext extends HandlerContext {
  /** The URI that is read. */
  readonly uri: string;
}

/** How a resource is read. */
export type Read = (ctx: ResourceContext) => ResourceOutput | Promise<ResourceOutput>;

/**
 * How one of a family of resources is read. The values come from the caller and are decoded: one used in a path may hold
 * `..` and `/`.
 */
export type ReadOne<Template extends string> = (
  variables: { readonly [Variable in VariablesOf<Template>]: string },
  ctx: ResourceContext,
) => ResourceOutput | Promise<ResourceOutput>;
