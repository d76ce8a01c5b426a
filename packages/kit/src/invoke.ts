import { randomBytes, randomUUID } from 'node:crypto';
import {
  formatTraceparent,
  type HopClient,
  type HopMethod,
  type JsonObject,
  type JsonValue,
} from '@sallyport/protocol';
import type { Answer } from './answer.ts';
import type { IncomingCall } from './call-context.ts';
import { readError, readOutput } from './call-result.ts';
import type { LogLevel } from './caller-options.ts';
import { meantBy } from './meaning.ts';
import type { Runner } from './runner.ts';
import { CallError } from './tool-error.ts';
import type { CallOptions, CallTool, Principal, Progress } from './tool-options.ts';

/** Choices for a call in a test. */
export interface InvokeOptions {
  /** Default: an agent called `test` without scopes. */
  readonly principal?: Partial<Principal>;
  /** Default: 30,000. */
  readonly timeoutMs?: number;
  /** Stands in for the services that the handler calls. */
  readonly call?: (tool: string, args: object) => unknown;
  /**
   * Stands in for the caller when the handler asks it something: gets `elicitation/create`, `sampling/createMessage` or
   * `roots/list` and the params, and gives the result. Without it the caller cannot be asked.
   */
  readonly answer?: (method: string, params: JsonObject) => unknown;
  /** Hears what is written to the caller's log, of every level. */
  readonly onLog?: (level: LogLevel, data: JsonValue) => void;
  /** Hears of progress. */
  readonly onProgress?: (progress: Progress) => void;
  /** What else the caller says that it can do, as MCP `ClientCapabilities`: tasks, say. */
  readonly capabilities?: JsonObject;
}

const tester: Principal = { subject: 'test', client: 'test', kind: 'agent', scopes: [], attributes: {} };
const defaultTimeoutMs = 30_000;

/** Everything that a caller can be asked. */
const canBeAsked: JsonObject = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} };

/** Runs one call without any network. Resolves with the output, throws `CallError` for everything else. */
export async function invoke(
  runner: Runner,
  { tool, args, ...options }: InvokeOptions & { readonly tool: string; readonly args: object },
): Promise<JsonValue> {
  const result = await run(runner, { tool, arguments: args }, options);
  // Without a schema the output is what was parsed from JSON.
  return (await readOutput(tool, result, undefined)) as JsonValue;
}

/** The same for any method, with the params that it has in MCP. Resolves with its result. */
export function request(
  runner: Runner,
  { method, params, ...options }: InvokeOptions & { readonly method: HopMethod; readonly params: object },
): Promise<JsonObject> {
  const meant = meantBy(method, JSON.parse(JSON.stringify(params)) as JsonObject);
  return run(runner, { ...meant, method }, options);
}

/** Runs a call, and goes on with it for as long as its questions are answered. */
async function run(
  runner: Runner,
  call: Pick<IncomingCall, 'tool' | 'method' | 'arguments'>,
  { principal, timeoutMs = defaultTimeoutMs, call: called, answer, onLog, onProgress, capabilities }: InvokeOptions,
): Promise<JsonObject> {
  const trace = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex'), sampled: false };
  const client: HopClient = {
    capabilities: { ...(answer && canBeAsked), ...capabilities },
    ...(onLog && { logLevel: 'debug' }),
  };
  const incoming = {
    ...call,
    // As a caller would send them: what JSON cannot carry does not arrive.
    arguments: JSON.parse(JSON.stringify(call.arguments)) as object,
    ...{ id: randomUUID(), traceparent: formatTraceparent(trace), timeoutMs, client },
    principal: { ...tester, ...principal },
    callTool: () => standIn(called),
    ...(onLog && { onLog }),
    ...(onProgress && { onProgress }),
  };
  let ended = await start(runner, incoming);
  while (ended.kind === 'result' && ended.resultType === 'input_required') {
    const { inputRequests, requestState } = JSON.parse(ended.text) as Asked;
    const inputResponses: Record<string, JsonValue> = {};
    for (const [key, { method, params }] of Object.entries(inputRequests)) {
      inputResponses[key] = JSON.parse(JSON.stringify(await answer?.(method, params))) as JsonValue;
    }
    ended = await start(runner, { ...incoming, retry: { requestState, inputResponses } });
  }
  if (ended.kind === 'error') throw readError(ended.error);
  return JSON.parse(ended.text) as JsonObject;
}

interface Asked {
  readonly inputRequests: Readonly<Record<string, { readonly method: string; readonly params: JsonObject }>>;
  readonly requestState: string;
}

function start(runner: Runner, incoming: IncomingCall): Promise<Answer> {
  return new Promise((resolve) => {
    runner.start(incoming, resolve);
  });
}

function standIn(call: InvokeOptions['call']): CallTool {
  return async (tool: string, args: object, options: CallOptions = {}) => {
    if (call === undefined) {
      const message = `Nothing stands in for ${tool}: pass { call } to invoke.`;
      throw new CallError(message, { code: 'unavailable', reason: 'no_gateway' });
    }
    const structuredContent = (await call(tool, args)) as JsonValue;
    return (await readOutput(tool, { content: [], structuredContent }, options.output)) as never;
  };
}
