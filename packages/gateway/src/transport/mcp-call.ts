import type { Call, ClientSide, InvokeRequest, JsonText, Retry } from '@sallyport/core';
import { isJsonObject, type JsonObject, removeMembers } from '@sallyport/protocol';
import { singleLine } from './call-result.ts';
import { askClient } from './mcp-ask.ts';
import { remoteUri } from './mcp-naming.ts';
import { answerOutcome } from './mcp-outcome.ts';
import type { McpAnswer, McpRequest } from './mcp-request.ts';
import { tellingOf } from './mcp-tell.ts';
import { waitForCall } from './mcp-wait.ts';

/** What a request is for, in the pipeline's words. */
type Named = Pick<InvokeRequest, 'method' | 'capability' | 'name' | 'argumentsText'>;

/** Serves `tools/call`: the arguments leave exactly as they came, and the service's result comes back as it was written. */
export function answerCall(request: McpRequest): Promise<McpAnswer> {
  const { name = '', argumentsText } = request.params;
  return answerInvoke(request, { method: 'tools/call', capability: 'tool', name, ...own(argumentsText) });
}

/** Serves `prompts/get`. */
export function answerPrompt(request: McpRequest): Promise<McpAnswer> {
  const { name = '', argumentsText } = request.params;
  return answerInvoke(request, { method: 'prompts/get', capability: 'prompt', name, ...own(argumentsText) });
}

/** Serves `resources/read`. */
export function answerRead(request: McpRequest): Promise<McpAnswer> {
  const { uri = '', argumentsText } = request.params;
  const remote = remoteUri(request.endpoint, uri);
  const argsText = remote === undefined || remote === uri ? argumentsText : JSON.stringify({ uri: remote });
  return answerInvoke(request, { method: 'resources/read', capability: 'resource', name: uri, ...own(argsText) });
}

/** Serves `completion/complete`. */
export async function answerCompletion(request: McpRequest): Promise<McpAnswer> {
  const { ref, argumentsText } = request.params;
  if (ref === undefined) return request.decline('malformed_params', { issues: ['/params/ref: is missing'] });
  const name = ref.kind === 'prompt' ? ref.name : ref.uri;
  return answerInvoke(request, { method: 'completion/complete', capability: ref.kind, name, ...own(argumentsText) });
}

/** The extension under which calls go on in the background. */
const tasksExtension = 'io.modelcontextprotocol/tasks';

/** Makes what serves a method about a task (MCP extension `io.modelcontextprotocol/tasks`): for clients that declare it. */
export function answerTask(method: 'tasks/get' | 'tasks/update' | 'tasks/cancel') {
  return (request: McpRequest): Promise<McpAnswer> => {
    const { taskId = '', argumentsText, clientCapabilitiesText } = request.params;
    const { extensions } = JSON.parse(clientCapabilitiesText) as JsonObject;
    if (!isJsonObject(extensions) || !isJsonObject(extensions[tasksExtension])) {
      return request.decline('client_cannot', { requiredCapabilities: { extensions: { [tasksExtension]: {} } } });
    }
    return answerInvoke(request, { method, capability: 'task', name: taskId, ...own(argumentsText) });
  };
}

/** Serves a method of a server's own, where that server is mounted alone. */
export function answerVendor(request: McpRequest): Promise<McpAnswer> {
  const name = request.request.method;
  return answerInvoke(request, { method: 'vendor', capability: 'method', name, ...own(request.params.argumentsText) });
}

function own(argumentsText: string): { readonly argumentsText: JsonText } {
  return { argumentsText: singleLine(argumentsText) };
}

async function answerInvoke(request: McpRequest, named: Named): Promise<McpAnswer> {
  const { deps, era } = request;
  const telling = tellingOf(request);
  const retry = era === 'modern' ? retryOf(request) : undefined;
  const call: Call<InvokeRequest> = request.call({
    verb: 'invoke',
    ...named,
    ...telling.hooks,
    ...(retry && { retry }),
    ...(request.params.restText !== undefined && { restText: singleLine(request.params.restText) }),
    paramHeaders: request.paramHeaders,
    client: clientOf(request),
  });
  try {
    const came = await deps.pipeline.invoke(call);
    const outcome = came.kind === 'suspended' ? await waitForCall(request, { call, waiting: came }) : came;
    const isAsking = era === 'legacy' && outcome.kind === 'answered' && outcome.content.resultType === 'input_required';
    return answerOutcome(request, isAsking ? await askClient(request, { call, outcome }) : outcome);
  } finally {
    telling.stop();
  }
}

/** The caller's answers to what it was asked before (MCP 2026-07-28, multi round-trip requests). */
function retryOf({ params }: McpRequest): Retry | undefined {
  const { inputResponsesText, requestState } = params;
  if (inputResponsesText === undefined && requestState === undefined) return undefined;
  return {
    ...(inputResponsesText !== undefined && { inputResponsesText: singleLine(inputResponsesText) }),
    ...(requestState !== undefined && { requestState }),
  };
}

/** Who asks: a modern request says it of itself, for a legacy one its session does. */
function clientOf({ era, params, exchange }: McpRequest): ClientSide {
  const { metaText, logLevel } = params;
  const meta = metaText === undefined ? {} : { metaText: singleLine(metaText) };
  if (era === 'modern') {
    const capabilitiesText = singleLine(params.clientCapabilitiesText);
    return { capabilitiesText, ...(logLevel !== undefined && { logLevel }), ...meta };
  }
  const { session, ask } = exchange;
  if (session === undefined) return { capabilitiesText: none, ...meta };
  const { conversation, capabilitiesText, onEnd } = session;
  return {
    ...{ conversation, onEnd },
    capabilitiesText: ask === undefined ? unaskable(capabilitiesText) : capabilitiesText,
    ...(session.logLevel !== undefined && { logLevel: session.logLevel }),
    ...meta,
  };
}

const none = '{}' as JsonText;
const askable: ReadonlySet<string> = new Set(['elicitation', 'sampling', 'roots']);

/** What a client can do that nobody can ask while its request is open. */
function unaskable(capabilitiesText: JsonText): JsonText {
  return removeMembers(capabilitiesText, (key) => askable.has(key)) as JsonText;
}
