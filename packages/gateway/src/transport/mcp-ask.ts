import { type Answer, type Call, GatewayError, type InvokeRequest, type JsonText, type Outcome } from '@sallyport/core';
import { legacyQuestion, membersOf, memberText, metaKeys, rewriteResult } from '@sallyport/protocol';
import { namingAt } from './mcp-naming.ts';
import type { McpRequest } from './mcp-request.ts';
import type { ClientReply } from './session.ts';

/** How a call ended so far. */
export interface Asked {
  readonly call: Call<InvokeRequest>;
  readonly outcome: Outcome<Answer>;
}

/** Questions are answered by people; a service that goes on asking is stopped here. */
const maxRounds = 16;

/** How long all questions of one call may take together, in milliseconds: as long as the state of one is good for. */
const longestMs = 15 * 60_000;

/**
 * Brings the questions of a service to a client that cannot be answered with them (MCP 2025-11-25 and before) and calls
 * again with its answers, until the service has none left. Each time is a call of its own: decided, permitted and recorded.
 */
export async function askClient(request: McpRequest, { call, outcome }: Asked): Promise<Outcome<Answer>> {
  const { deps, exchange } = request;
  const signal = AbortSignal.any([exchange.signal, AbortSignal.timeout(longestMs)]);
  let current = outcome;
  for (let round = 0; round < maxRounds && isQuestion(current); round++) {
    const { content } = current;
    const standing = unlessContained(signal, content);
    const { requestState, questions } = readQuestions(request, content);
    const state = requestState === undefined ? {} : { requestState };
    try {
      const inputResponsesText = await answersTo(request, questions, standing);
      const retry = { ...state, ...(questions.length > 0 && { inputResponsesText }) };
      current = await deps.pipeline.invoke(request.callAfter(call, { ...call.request, retry }));
    } catch (thrown) {
      // Whatever waits for the answers at the service must hear that there will be none.
      const last = request.callAfter(call, { ...call.request, retry: state });
      if (requestState !== undefined) await deps.pipeline.invoke({ ...last, signal: AbortSignal.abort(cancelled()) });
      return { kind: 'refused', error: unansweredBecause(thrown, exchange.signal, content) };
    }
  }
  if (!isQuestion(current)) return current;
  return { kind: 'refused', error: new GatewayError('upstream_failed', {}, { cause: 'it asks without end' }) };
}

function isQuestion(outcome: Outcome<Answer>): outcome is Extract<Outcome<Answer>, { kind: 'answered' }> {
  return outcome.kind === 'answered' && outcome.content.resultType === 'input_required';
}

interface Question {
  readonly key: string;
  readonly method: string;
  readonly paramsText: string;
}

interface Questions {
  readonly requestState: string | undefined;
  readonly questions: readonly Question[];
}

/** The questions in an `InputRequiredResult`, in the names of the client's endpoint. */
function readQuestions({ endpoint, request }: McpRequest, { text, service }: Answer): Questions {
  const shown = service === undefined ? text : rewriteResult(namingAt(endpoint, service), request.method, text);
  const members = membersOf(shown);
  const state = memberText(shown, members, 'requestState');
  const requests = memberText(shown, members, 'inputRequests') ?? '{}';
  const questions = membersOf(requests).map(({ key, start, end }) => {
    const question = requests.slice(start, end);
    const parts = membersOf(question);
    const method = String(JSON.parse(memberText(question, parts, 'method') ?? '""'));
    return { key, method, paramsText: memberText(question, parts, 'params') ?? '{}' };
  });
  return { requestState: state === undefined ? undefined : String(JSON.parse(state)), questions };
}

/** Asks all at once. The answers as an object: key → result. */
async function answersTo(
  { exchange }: McpRequest,
  questions: readonly Question[],
  signal: AbortSignal,
): Promise<JsonText> {
  const { ask } = exchange;
  if (ask === undefined && questions.length > 0) throw new GatewayError('client_cannot');
  signal.throwIfAborted();
  // When one cannot be asked, nobody waits for the answers to the others.
  const givenUp = new AbortController();
  const standing = AbortSignal.any([signal, givenUp.signal]);
  const answers = questions.map(async ({ key, method, paramsText }) => {
    const id = `${exchange.callId}/${key}`;
    const question = { method, paramsText: legacyQuestion(method, paramsText, id) as JsonText };
    const reply = await ask?.(question, standing);
    return `${JSON.stringify(key)}:${reply === undefined ? 'null' : answerText(method, reply)}`;
  });
  try {
    return `{${(await Promise.all(answers)).join(',')}}` as JsonText;
  } finally {
    givenUp.abort();
  }
}

/**
 * The modern protocol has no errors among answers. What comes closest to one says so in words of our own, in which the
 * gateway tells it to servers that know errors; a form that failed is one that was closed.
 */
function answerText(method: string, reply: ClientReply): string {
  if (reply.kind === 'result') return reply.resultText;
  const { code, message } = reply;
  const closed = method === 'elicitation/create' ? { action: 'cancel' } : {};
  return JSON.stringify({ ...closed, [metaKeys.error]: { code, message } });
}

function cancelled(): GatewayError {
  return new GatewayError('cancelled');
}

/** Nobody is asked for a call that is contained. */
function unlessContained(signal: AbortSignal, { contained }: Answer): AbortSignal {
  if (contained === undefined) return signal;
  const ending = new AbortController();
  contained.addEventListener('abort', () => ending.abort(contained.reason), { once: true });
  if (contained.aborted) ending.abort(contained.reason);
  return AbortSignal.any([signal, ending.signal]);
}

function unansweredBecause(thrown: unknown, gone: AbortSignal, { contained }: Answer): GatewayError {
  if (gone.aborted) return cancelled();
  if (contained?.aborted === true) return new GatewayError('contained');
  if (thrown instanceof GatewayError) return thrown;
  const isLate = thrown instanceof Error && thrown.name === 'TimeoutError';
  return new GatewayError(isLate ? 'upstream_timeout' : 'client_cannot', {}, { cause: thrown });
}
