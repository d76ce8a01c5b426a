import { type Answer, GatewayError, type Hop, type JsonText } from '@sallyport/core';
import { isJsonObject, type JsonValue, serverFault, urlQuestions } from '@sallyport/protocol';
import { isVisitable } from '../questions.ts';
import { parkedPrefix } from '../sealing.ts';
import type { ServerAnswer } from './conversation.ts';
import { withoutOwnNames } from './own-names.ts';

/**
 * What a server's answer means to the caller. Its results and its errors about the call are passed on in its own words;
 * what is about the connection between gateway and server is not.
 *
 * @throws GatewayError `upstream_unavailable` or `upstream_failed` for the latter, and `client_cannot`.
 */
export function toAnswer(answer: ServerAnswer, instance: string, { era }: Pick<Hop, 'era'>): Answer {
  if (answer.kind === 'result') return toResult(answer, instance);
  const { status, text, unproven } = answer;
  if (unproven !== undefined) throw new GatewayError('upstream_failed', {}, { cause: answer.message });
  if (status !== undefined && isAboutConnection(status)) throw toFault(answer, status);
  switch (serverFault(answer.code)) {
    case 'hop_capability':
      throw toIncapable(answer);
    case 'hop_headers':
    case 'hop_version':
      throw toFault(answer, status);
    case 'url_elicitation': {
      if (!allVisitable(answer)) throw new GatewayError('output_refused', {}, { cause: answer.message.slice(0, 500) });
      const questions = era === 'legacy' ? undefined : urlQuestions(JSON.stringify(answer.data ?? {}));
      if (questions === undefined) break;
      return { text: questions as JsonText, isError: false, resultType: 'input_required', instance };
    }
    default:
  }
  const { code, message } = answer;
  return {
    text: text ?? (JSON.stringify({ code, message }) as JsonText),
    isError: true,
    shape: 'error',
    instance,
    ...(status !== undefined && { status }),
  };
}

function allVisitable({ data }: Refusal): boolean {
  const asked = isJsonObject(data) ? data.elicitations : undefined;
  return !Array.isArray(asked) || asked.every((one: JsonValue) => !isJsonObject(one) || isVisitable(one));
}

type Refusal = Extract<ServerAnswer, { kind: 'error' }>;

function toResult({ text, value }: Extract<ServerAnswer, { kind: 'result' }>, instance: string): Answer {
  const { resultType, isError, taskId, requestState } = value;
  const isOdd = resultType !== undefined && typeof resultType !== 'string';
  if (isOdd || (resultType === 'task' && typeof taskId !== 'string'))
    throw new GatewayError('upstream_failed', {}, odd);
  if (String(requestState).startsWith(parkedPrefix)) throw new GatewayError('upstream_failed', {}, parked);
  return {
    text: withoutOwnNames(text),
    isError: isError === true,
    instance,
    ...(resultType !== undefined && resultType !== 'complete' && { resultType }),
  };
}

const parked = { cause: 'its state is one of a call that waits here' };
const odd = { cause: 'nobody can tell whether its result is complete, or of which task' };

/** That the server wants a token, limits the gateway or is broken is not for the caller. */
function isAboutConnection(status: number): boolean {
  return status === 401 || status === 403 || status === 407 || status === 429 || status >= 500;
}

function toFault({ code, message }: Refusal, status: number | undefined): GatewayError {
  const reason = status === 429 || status === 503 ? 'upstream_unavailable' : 'upstream_failed';
  const cause = `the server answered ${status === undefined ? '' : `HTTP ${status}, `}error ${code}: ${message.slice(0, 500)}`;
  return new GatewayError(reason, {}, { cause });
}

/** The gateway claimed what its caller claims, so it is the caller who lacks something. */
function toIncapable({ data }: Refusal): GatewayError {
  const required = isJsonObject(data) ? data.requiredCapabilities : undefined;
  return new GatewayError('client_cannot', isJsonObject(required) ? { requiredCapabilities: required } : {});
}
