import {
  type Answer,
  type Feed,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  type Registration,
  spendPermit,
  type Topic,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, tasksExtension } from '@sallyport/protocol';
import { canary, type Served } from './lab.ts';
import { offerResult, variantOf } from './offers.ts';

/** The lab's service with everything it has beside tools that answer at once. */
export interface LabService {
  readonly registration: Registration;
  /** Tells whoever watches a resource or a task, under the service's own names. */
  tell(topic: Topic, params: JsonObject): void;
  readonly watchers: () => number;
}

/** What came back, and what of it the lab says it gave. */
interface Given {
  readonly answer: Omit<Answer, 'instance'>;
  readonly output: JsonObject;
}

/** Adds prompts, resources, methods of its own, tools that ask and tools that go on in the background to a service of tools. */
export function labService(tools: Registration, onServed: (served: Served) => void): LabService {
  const watching = new Map<(paramsText: JsonText) => void, Topic>();
  const feed: Feed = {
    watch(topic, onEvent) {
      watching.set(onEvent, topic);
      return () => watching.delete(onEvent);
    },
  };
  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    const serve = servingOf(permit, hop);
    if (serve === undefined) return tools.upstream.open(permit, hop);
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    spendPermit(permit);
    hop.sent();
    const { callId, principal, target } = permit;
    const served = { callId, handler: target.name.slice('lab.'.length), subject: principal.subject };
    onServed(served);
    await behave(variantOf(target.name), hop);
    const { answer, output } = serve();
    onServed({ ...served, output });
    return { ...answer, instance: 'lab' };
  };
  return {
    registration: { ...tools, feed, upstream: { ...tools.upstream, open } },
    tell(topic, params) {
      for (const [onEvent, watched] of watching) {
        if (JSON.stringify(watched) === JSON.stringify(topic)) onEvent(JSON.stringify(params) as JsonText);
      }
    },
    watchers: () => watching.size,
  };
}

/** How a call is served that is not simply one of a tool. */
function servingOf(permit: Permit, hop: Hop): (() => Given) | undefined {
  const { method, target } = permit;
  const variant = variantOf(target.name);
  if (method.startsWith('tasks/')) return () => aboutTask(permit, hop);
  if (method !== 'tools/call') return () => offered(permit);
  if (variant === 'Asks') return () => asking(hop);
  if (variant === 'Keeps' && knowsTasks(hop)) return () => given(taskState('working'), 'task');
  return undefined;
}

function offered({ method, target, argumentsText }: Permit): Given {
  const result = offerResult(method, target, JSON.parse(argumentsText) as JsonObject);
  const full = { ...target, remoteName: `${target.service}+${target.remoteName}` };
  const output = method === 'resources/read' ? inFull(result, full.remoteName) : result;
  return { ...given(result), output };
}

/** The result as callers see it where everything is offered. */
function inFull(result: JsonObject, uri: string): JsonObject {
  const contents = Array.isArray(result.contents) ? (result.contents as readonly JsonObject[]) : [];
  return { ...result, contents: contents.map((content) => ({ ...content, uri })) };
}

/** Asks once, and then says what it was answered. */
function asking({ retry }: Hop): Given {
  if (retry?.requestState === undefined) {
    const requestedSchema = { type: 'object', properties: { color: { type: 'string' } } };
    const params = { mode: 'form', message: 'Which color?', requestedSchema };
    const inputRequests = { color: { method: 'elicitation/create', params } };
    return given({ resultType: 'input_required', inputRequests, requestState: 'asked' }, 'input_required');
  }
  const answers = JSON.parse(retry.inputResponsesText ?? '{}') as JsonObject;
  const output = { state: retry.requestState, color: contentOf(answers.color) };
  return { ...given({ content: [], structuredContent: output }), output };
}

function contentOf(answer: JsonObject[string] | undefined): JsonObject[string] {
  return isJsonObject(answer) && isJsonObject(answer.content) ? (answer.content.color ?? null) : null;
}

function aboutTask({ method }: Permit, { taskId }: Hop): Given {
  if (taskId !== 'task-1') throw new GatewayError('unknown_task');
  return given(method === 'tasks/get' ? taskState('completed') : {});
}

function taskState(status: string): JsonObject {
  const times = { createdAt: '2026-01-01T00:00:00Z', lastUpdatedAt: '2026-01-01T00:00:00Z' };
  return { taskId: 'task-1', status, ...times, ttlMs: 60_000, pollIntervalMs: 1_000 };
}

function given(result: JsonObject, resultType?: string): Given {
  const whole = resultType === undefined ? result : { ...result, resultType };
  const text = JSON.stringify(whole) as JsonText;
  return { answer: { text, isError: false, ...(resultType !== undefined && { resultType }) }, output: result };
}

function knowsTasks({ client }: Hop): boolean {
  return client.capabilitiesText.includes(tasksExtension);
}

/** What becomes of a call before it is answered. */
function behave(variant: string, { signal, timeoutMs }: Hop): Promise<void> | undefined {
  if (variant === 'Crash') throw new GatewayError('upstream_failed', {}, { cause: `${canary}: the service crashed` });
  if (variant !== 'Slow') return undefined;
  return new Promise((_resolve, reject) => {
    const clock = setTimeout(() => reject(new GatewayError('upstream_timeout')), timeoutMs);
    const cancel = (): void => {
      clearTimeout(clock);
      reject(new GatewayError('cancelled'));
    };
    signal.addEventListener('abort', cancel, { once: true });
  });
}
