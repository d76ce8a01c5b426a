import {
  type Answer,
  type Capability,
  type Code,
  everything,
  GatewayError,
  type InvokeRequest,
  type JsonText,
  type Outcome,
  type Presented,
  type Progress,
  type Prompt,
  type Resource,
  type Suspended,
  type Target,
  type Tool,
  toolCall,
} from '@sallyport/core';
import { type Envelope, type JsonObject, type JsonValue, parseStrict } from '@sallyport/protocol';
import { callResult, namedInFull } from './call-result.ts';
import type { TransportDeps } from './deps.ts';
import { remoteUri } from './mcp-naming.ts';
import { unreadable } from './mcp-read.ts';
import { callAgain, type Reception, toCall } from './reception.ts';
import { readToolResult } from './tool-result.ts';
import { hold } from './waiting.ts';

/** Whose call it is: a token like any caller's, or what the program that embeds the gateway vouches for. */
export type EmbeddedCaller =
  | { readonly token: string; readonly presented?: never }
  | { readonly presented: Presented; readonly token?: never };

/** A tool call made inside the process. */
export type EmbeddedCall = EmbeddedCaller &
  EmbeddedOptions & {
    readonly tool: string;
    readonly input?: JsonObject;
    readonly onProgress?: (progress: Progress) => void;
  };

/** What a tool answered. */
export interface EmbeddedResult {
  /** The structured content, else the text, else the content blocks. */
  readonly result: JsonValue;
  /** The tool itself reported failure: then `result` is its message. */
  readonly isError: boolean;
  /** What kind of failure. */
  readonly code?: Code;
  /** The call waits for somebody: what to ask about it by. The same call, made again, goes through once it is granted. */
  readonly question?: string;
  /** What else is known of that. */
  readonly waiting?: Pick<Suspended, 'reason' | 'expiresAtMs' | 'settled'>;
  readonly traceId: string;
}

/** How long a request may take, and of what trace it is. */
export interface EmbeddedOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** How long a call that waits for somebody is kept, and made again when it is time. Default: not at all. */
  readonly waitMs?: number;
  readonly traceparent?: string;
}

/** A prompt to fill in. `prompt`: as in MCP's list of everything, `service.name`. */
export type EmbeddedPrompt = EmbeddedCaller &
  EmbeddedOptions & { readonly prompt: string; readonly arguments?: Readonly<Record<string, string>> };

/** A resource to read. `uri`: as in MCP's list of everything, `service+uri`. */
export type EmbeddedRead = EmbeddedCaller & EmbeddedOptions & { readonly uri: string };

/** The gateway as a function. It takes the same path as every other transport. */
export interface Embedded {
  /** @throws GatewayError when the call did not go through. */
  call(call: EmbeddedCall): Promise<EmbeddedResult>;
  /** The tools this caller may call. @throws GatewayError */
  listTools(caller: EmbeddedCaller): Promise<readonly Tool[]>;
  /** The prompts it may use. @throws GatewayError */
  listPrompts(caller: EmbeddedCaller): Promise<readonly Prompt[]>;
  /** The resources it may read, as far as they are listed. @throws GatewayError */
  listResources(caller: EmbeddedCaller): Promise<readonly Resource[]>;
  /** The whole MCP `GetPromptResult` as `result`. @throws GatewayError */
  getPrompt(prompt: EmbeddedPrompt): Promise<EmbeddedResult>;
  /** The whole MCP `ReadResourceResult` as `result`. @throws GatewayError */
  readResource(read: EmbeddedRead): Promise<EmbeddedResult>;
}

const neverFires = new AbortController().signal;

/** Makes the face for programs that run the gateway inside themselves. */
export function createEmbedded(deps: TransportDeps): Embedded {
  return {
    call: async (call) => {
      const invoked = await invoke(deps, call, {
        input: call.input,
        request: (argumentsText) => ({
          ...toolCall(call.tool, argumentsText),
          ...(call.onProgress && { onProgress: call.onProgress }),
        }),
      });
      const { text, code, message } = readToolResult(callResult(invoked.outcome));
      return resultOf(invoked, { text, code, message });
    },
    getPrompt: (prompt) =>
      invokeWhole(deps, prompt, {
        input: prompt.arguments,
        request: (argumentsText) =>
          plain({ method: 'prompts/get', capability: 'prompt', name: prompt.prompt, argumentsText }),
      }),
    readResource: (read) =>
      invokeWhole(deps, read, {
        input: { uri: remoteUri(everything, read.uri) ?? read.uri },
        request: (argumentsText) =>
          plain({ method: 'resources/read', capability: 'resource', name: read.uri, argumentsText }),
      }),
    listTools: async (caller) => (await listAll(deps, caller, 'tool')) as readonly Tool[],
    listPrompts: async (caller) => (await listAll(deps, caller, 'prompt')) as readonly Prompt[],
    listResources: async (caller) => (await listAll(deps, caller, 'resource')) as readonly Resource[],
  };
}

function receive(deps: TransportDeps, caller: EmbeddedCaller & EmbeddedOptions, bytes: number): Reception {
  return {
    callId: deps.newCallId(),
    presented: caller.token === undefined ? caller.presented : { kind: 'bearer', token: caller.token },
    origin: { transport: 'embedded', peer: 'local', era: 'none' },
    signal: caller.signal ?? neverFires,
    receivedBytes: bytes,
    traceparent: caller.traceparent,
  };
}

/** A request to be, once its input is known to be good JSON. */
interface Drafted {
  readonly input: JsonObject | undefined;
  readonly request: (argumentsText: JsonText) => InvokeRequest;
}

function plain(named: Pick<InvokeRequest, 'method' | 'capability' | 'name' | 'argumentsText'>): InvokeRequest {
  return { ...toolCall(named.name, named.argumentsText), ...named };
}

interface Invoked {
  readonly outcome: Exclude<Outcome<Answer>, { readonly kind: 'refused' }>;
  readonly traceId: string;
}

/** @throws GatewayError */
async function invoke(
  deps: TransportDeps,
  caller: EmbeddedCaller & EmbeddedOptions,
  { input, request }: Drafted,
): Promise<Invoked> {
  const text = writeInput(input);
  const reception = receive(deps, caller, Buffer.byteLength(text));
  const argumentsText = readInput(text, deps.maxRequestBytes);
  if (argumentsText instanceof GatewayError) {
    throw (await deps.pipeline.decline(toCall(deps, reception, { verb: 'unreadable', error: argumentsText }))).error;
  }
  const { timeoutMs, waitMs } = caller;
  const asked = { ...request(argumentsText), ...(timeoutMs !== undefined && { timeoutMs }) };
  const call = toCall(deps, reception, asked);
  const first = await deps.pipeline.invoke(call);
  const again = () => deps.pipeline.invoke(callAgain(deps, reception, call));
  const { signal } = reception;
  const isKept = first.kind === 'suspended' && waitMs !== undefined;
  const outcome = isKept ? await hold({ waiting: first, again, ms: waitMs, signal }) : first;
  if (outcome.kind === 'refused') throw outcome.error;
  return { outcome: namedInFull(outcome, asked.method), traceId: reception.callId };
}

/** The same for what has no result of a tool: what was answered is the result, unless it is no answer. */
async function invokeWhole(
  deps: TransportDeps,
  caller: EmbeddedCaller & EmbeddedOptions,
  drafted: Drafted,
): Promise<EmbeddedResult> {
  const invoked = await invoke(deps, caller, drafted);
  const { outcome } = invoked;
  const isWhole =
    outcome.kind === 'answered' && outcome.content.shape === undefined && outcome.content.resultType === undefined;
  if (isWhole) return resultOf(invoked, { text: outcome.content.text, code: undefined, message: '' });
  const { text, code, message } = readToolResult(callResult(outcome));
  return resultOf(invoked, { text, code, message });
}

interface Read {
  readonly text: string;
  readonly code: Code | undefined;
  readonly message: string;
}

function resultOf({ outcome, traceId }: Invoked, { text, code, message }: Read): EmbeddedResult {
  const isError = code !== undefined;
  return {
    result: isError ? message : JSON.parse(text),
    isError,
    ...(code !== undefined && { code }),
    ...(outcome.kind === 'suspended' && waitingFacts(outcome)),
    traceId,
  };
}

function waitingFacts({ question, reason, expiresAtMs, settled }: Suspended) {
  return {
    code: 'failed_precondition' as const,
    question,
    waiting: { reason, ...(expiresAtMs !== undefined && { expiresAtMs }), ...(settled && { settled }) },
  };
}

/** @throws GatewayError */
async function listAll(
  deps: TransportDeps,
  caller: EmbeddedCaller,
  capability: Capability,
): Promise<readonly Target[]> {
  const targets: Target[] = [];
  let cursor: string | undefined;
  do {
    const page = { verb: 'list', capability, limit: deps.pageSize, ...(cursor && { cursor }) } as const;
    const outcome = await deps.pipeline.list(toCall(deps, receive(deps, caller, 0), page));
    if (outcome.kind === 'refused') throw outcome.error;
    if (outcome.kind === 'suspended') throw new GatewayError('internal');
    targets.push(...outcome.content.targets);
    cursor = outcome.content.nextCursor;
  } while (cursor !== undefined);
  return targets;
}

/** What is no JSON (a bigint, a circle) becomes no JSON, to be refused and recorded like what comes from outside. */
function writeInput(input: JsonObject = {}): string {
  try {
    return JSON.stringify(input);
  } catch {
    return '';
  }
}

const noEnvelope: Envelope = { members: [], inside: '', inner: [] };

/** The same rules as for text from outside: what this process hands over may come from there too. */
function readInput(text: string, maxBytes: number): JsonText | GatewayError {
  if (Buffer.byteLength(text) > maxBytes) return new GatewayError('payload_too_large');
  try {
    parseStrict(text, { envelope: noEnvelope });
    return text as JsonText;
  } catch (thrown) {
    return unreadable(thrown);
  }
}
