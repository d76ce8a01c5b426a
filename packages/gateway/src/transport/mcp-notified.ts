import { GatewayError } from '@sallyport/core';
import { isJsonRpcId, type JsonRpcNotification, type JsonRpcResponse } from '@sallyport/protocol';
import { singleLine } from './call-result.ts';
import { type McpAnswer, type McpReceived, nothingListed, unanswered } from './mcp-request.ts';
import { isListening, listenForNews } from './mcp-subscribe.ts';
import { traceIdHeader } from './refusal.ts';
import type { ClientReply } from './session.ts';

/** Takes a notification of a client. Only its sender is checked: what it tells of is either known here or nobody's. */
export async function takeNotification(received: McpReceived, message: JsonRpcNotification): Promise<McpAnswer> {
  const { deps, exchange } = received;
  const { session } = exchange;
  if (message.method === 'notifications/initialized' && session !== undefined && !isListening(session)) {
    const refusal = await listenForNews(received, session);
    return refusal === undefined ? accepted(received) : received.refuse(refusal);
  }
  const outcome = await deps.pipeline.list(received.call(nothingListed));
  if (outcome.kind !== 'answered') return received.refuse(unanswered(outcome));
  const id = message.params?.requestId;
  if (message.method === 'notifications/cancelled' && isJsonRpcId(id)) exchange.cancel?.(id);
  return accepted(received);
}

/** Takes a client's answer to something that it was asked in its session. */
export async function takeReply(received: McpReceived, message: JsonRpcResponse): Promise<McpAnswer> {
  const { deps, exchange } = received;
  const { id, idText = 'null' } = message;
  const deliver = (): boolean => id !== undefined && exchange.session?.deliver(id, replyOf(message)) === true;
  const question = idText.slice(0, maxQuestionLength);
  const outcome = await deps.pipeline.reply(received.call({ verb: 'reply', question, deliver }));
  if (outcome.kind === 'answered') return accepted(received);
  return received.refuse(outcome.kind === 'refused' ? outcome.error : new GatewayError('internal'));
}

/** It goes into the record, and it is the client's to choose. */
const maxQuestionLength = 100;

function replyOf(message: JsonRpcResponse): ClientReply {
  if (!('error' in message)) return { kind: 'result', resultText: singleLine(message.resultText) };
  const { code, message: text } = message.error;
  return { kind: 'error', code, message: text };
}

function accepted({ exchange }: McpReceived): McpAnswer {
  return { status: 202, headers: { [traceIdHeader]: exchange.callId } };
}
