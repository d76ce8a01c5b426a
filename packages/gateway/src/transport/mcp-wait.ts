import type { Answer, Background, Call, InvokeRequest, JsonText, Outcome, Suspended } from '@sallyport/core';
import { GatewayError } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, metaKeys, tasksExtension } from '@sallyport/protocol';
import type { McpRequest } from './mcp-request.ts';
import type { ClientReply } from './session.ts';
import { comeBackText, type Holding, hold, ordinaryPatience, waitingText } from './waiting.ts';

/** A call that waits for somebody. */
export interface Waited {
  readonly call: Call<InvokeRequest>;
  readonly waiting: Suspended;
}

/**
 * Brings a client to the end of a call that waits, in the way that its protocol and it have for that: as a task (extension
 * `io.modelcontextprotocol/tasks`), by being asked to come back (MCP 2026-07-28, multi round-trip requests), or by keeping it
 * for a while. Each time it is made the call is a call of its own: decided, permitted and recorded.
 *
 * How it ended, `suspended` included: then its client has to be told, and to come back by itself.
 */
export async function waitForCall(request: McpRequest, waited: Waited): Promise<Outcome<Answer>> {
  try {
    return await (request.era === 'modern' ? sendAway(request, waited) : keep(request, waited));
  } catch (thrown) {
    return { kind: 'refused', error: GatewayError.from(thrown, 'approve') };
  }
}

/** What may be answered with questions (MCP 2026-07-28, multi round-trip requests). */
const askedAbout: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** A client library that comes back by itself gives up with an error of its own after ten times. It is told better before. */
const maxRounds = 9;

async function sendAway(request: McpRequest, { call, waiting }: Waited): Promise<Outcome<Answer>> {
  const { ticket, question } = waiting;
  const { method, client } = call.request;
  const capabilities = objectOf(JSON.parse(client.capabilitiesText) as JsonValue);
  if (ticket === undefined || !askedAbout.has(method)) return waiting;
  if (method === 'tools/call' && knowsTasks(capabilities)) return asTask(request, { call, waiting });

  const { isTold, waitMs } = request.deps.patience ?? ordinaryPatience;
  const isBack = isTold(question) || ticket.round > 0;
  const came = isBack ? await heldWithProgress(request, { call, waiting }, { ms: waitMs() }) : waiting;
  if (came.kind !== 'suspended' || ticket.round >= maxRounds) return came;
  const text = comeBack(came, takesForms(capabilities));
  return { kind: 'answered', content: { text, isError: false, instance: 'gateway', resultType: 'input_required' } };
}

/** An `InputRequiredResult`: with something to say to a person where there is one to say it to. */
function comeBack(waiting: Suspended, isPersonThere: boolean): JsonText {
  const question = {
    method: 'elicitation/create',
    params: form(`${waitingText(waiting)} Continue when it is granted.`),
  };
  return JSON.stringify({
    resultType: 'input_required',
    ...(isPersonThere && { inputRequests: { approval: question } }),
    requestState: waiting.ticket?.requestState(),
    _meta: { [metaKeys.question]: waiting.question, [metaKeys.waiting]: comeBackText(waiting) },
  }) as JsonText;
}

/** A form without fields: there is nothing to say but yes or no. */
function form(message: string): JsonObject {
  return { mode: 'form', message, requestedSchema: { type: 'object', properties: {} } };
}

/** Longer than any approval may take. */
const foreverMs = 31 * 86_400_000;

function asTask(request: McpRequest, { call, waiting }: Waited): Outcome<Answer> {
  const run = async ({ signal, tell }: Background): Promise<Answer> => {
    const { onProgress: _, onNotification: __, onPause: ___, ...quiet } = call.request;
    const again = (): Promise<Outcome<Answer>> => {
      tell(undefined);
      const next = request.callAfter(call, {
        ...quiet,
        // Nobody waits any more who could be asked.
        client: { ...quiet.client, capabilitiesText: '{}' as JsonText },
        onProgress: ({ message }) => tell(message),
      });
      return request.deps.pipeline.invoke({ ...next, signal }).then((outcome) => {
        if (outcome.kind === 'suspended') tell(waitingText(outcome));
        return outcome;
      });
    };
    const outcome = await hold({ waiting, again, ms: foreverMs, signal });
    if (outcome.kind === 'refused') throw outcome.error;
    if (outcome.kind === 'suspended') throw new GatewayError('approval_expired');
    return outcome.content;
  };
  const content = waiting.ticket?.begin(run);
  return content === undefined ? waiting : { kind: 'answered', content };
}

/** How long a person may look at what it is waiting for, in milliseconds: as long as the form of a service may stay open. */
const longestMs = 15 * 60_000;

async function keep(request: McpRequest, waited: Waited): Promise<Outcome<Answer>> {
  const { call, waiting } = waited;
  const { isTold, waitMs } = request.deps.patience ?? ordinaryPatience;
  const isBack = isTold(waiting.question);
  const capabilities = objectOf(JSON.parse(call.request.client.capabilitiesText) as JsonValue);
  if (!isBack && request.exchange.ask !== undefined && takesForms(capabilities)) return asking(request, waited);
  const hears = call.request.onProgress !== undefined;
  return isBack || hears ? heldWithProgress(request, waited, { ms: waitMs() }) : waiting;
}

/** Asks whether to go on waiting while it is waited for. The one who is asked is not who can grant it. */
async function asking(request: McpRequest, waited: Waited): Promise<Outcome<Answer>> {
  const { exchange, deps } = request;
  const over = new AbortController();
  const enough = new AbortController();
  let clock: NodeJS.Timeout | undefined;
  const params = form(`${waitingText(waited.waiting)} Accept to go on waiting, decline to stop.`);
  const question = { method: 'elicitation/create', paramsText: JSON.stringify(params) as JsonText };
  const standing = AbortSignal.any([exchange.signal, over.signal]);
  const asked = exchange.ask?.(question, standing).then(isAccepted, () => true);
  void asked?.then((goesOn) => {
    if (!goesOn) return enough.abort();
    clock = setTimeout(() => enough.abort(), (deps.patience ?? ordinaryPatience).waitMs());
  });
  try {
    return await heldWithProgress(request, waited, { ms: longestMs, enough: enough.signal });
  } finally {
    clearTimeout(clock);
    // Nothing is asked any more once there is an answer.
    over.abort();
  }
}

function isAccepted(reply: ClientReply): boolean {
  if (reply.kind === 'error') return true;
  return objectOf(JSON.parse(reply.resultText) as JsonValue).action === 'accept';
}

/** How often a client that waits hears that it still does, in milliseconds. */
const beatMs = 10_000;
/** So small that whatever the service says of its progress afterwards is more. */
const beatProgress = 1e-6;

async function heldWithProgress(
  request: McpRequest,
  { call, waiting }: Waited,
  options: Pick<Holding, 'ms' | 'enough'>,
): Promise<Outcome<Answer>> {
  const { deps, exchange } = request;
  const { onProgress } = call.request;
  let beats = 0;
  const beat = (): void => onProgress?.({ progress: beats++ * beatProgress, message: waitingText(waiting) });
  beat();
  const clock = onProgress && setInterval(beat, beatMs);
  const again = (): Promise<Outcome<Answer>> => {
    clearInterval(clock);
    return deps.pipeline.invoke(request.callAfter(call, call.request));
  };
  try {
    return await hold({ waiting, again, signal: exchange.signal, ...options });
  } finally {
    clearInterval(clock);
  }
}

function knowsTasks({ extensions }: JsonObject): boolean {
  return isJsonObject(extensions) && isJsonObject(extensions[tasksExtension]);
}

/** An `elicitation` without members means forms (MCP 2025-11-25, elicitation, capabilities). */
function takesForms({ elicitation }: JsonObject): boolean {
  return isJsonObject(elicitation) && ('form' in elicitation || !('url' in elicitation));
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
