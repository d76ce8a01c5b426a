import { type Progress, toolCall } from '@sallyport/core';
import { isJsonObject, isJsonRpcId, type JsonRpcId, memberText, notificationMessage } from '@sallyport/protocol';
import { callResult, singleLine } from './call-result.ts';
import type { McpAnswer, McpRequest } from './mcp-request.ts';

/** Serves `tools/call`: the arguments leave exactly as they came, and the service's result comes back as it was written. */
export async function answerCall(request: McpRequest): Promise<McpAnswer> {
  const { deps, exchange, json, paramHeaders, stamp } = request;
  const params = request.request.params ?? {};
  const { name } = params;
  const args = params.arguments;
  if (typeof name !== 'string') return request.decline('malformed_params', '/params/name: must be a string');
  if (args !== undefined && !isJsonObject(args)) {
    return request.decline('malformed_params', '/params/arguments: must be an object');
  }
  const argumentsText = singleLine(memberText(json.text, json.inner, 'arguments') ?? '{}');
  const progress = progressTo(request);
  const outcome = await deps.pipeline.invoke(
    request.call({
      ...{ ...toolCall(name, argumentsText), paramHeaders },
      ...(progress && { onProgress: progress.tell }),
    }),
  );
  progress?.stop();
  if (outcome.kind === 'refused' && outcome.error.reason !== 'invalid_input') return request.refuse(outcome.error);
  return request.answer(stamp.service(callResult(outcome), exchange.callId));
}

interface ProgressTelling {
  readonly tell: (progress: Progress) => void;
  stop(): void;
}

/** Progress reaches the caller only if it gave a token, strictly increasing, and never after the answer. */
function progressTo({ exchange, request }: McpRequest): ProgressTelling | undefined {
  const meta = request.params?._meta;
  const token = isJsonObject(meta) ? meta.progressToken : undefined;
  const { notify } = exchange;
  if (notify === undefined || !isJsonRpcId(token)) return undefined;
  let isOpen = true;
  let last = Number.NEGATIVE_INFINITY;
  return {
    tell: (progress) => {
      if (!isOpen || !(progress.progress > last)) return;
      last = progress.progress;
      notify(progressMessage(token, progress));
    },
    stop: () => {
      isOpen = false;
    },
  };
}

function progressMessage(progressToken: JsonRpcId, { progress, total, message }: Progress): string {
  return notificationMessage('notifications/progress', JSON.stringify({ progressToken, progress, total, message }));
}
