import {
  type Answer,
  createPipeline,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  type Tool,
  type Upstream,
} from '@sallyport/core';
import { fakeCall, fakeStages, fakeTool } from '@sallyport/testkit';

/** A crossing of the tests: what differs from the ordinary. */
export interface Crossing {
  readonly tool: Tool;
  readonly argumentsText?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: NonNullable<Hop['onProgress']>;
  readonly onSent?: () => void;
  readonly onPermit?: (permit: Permit) => void;
  readonly callId?: string;
}

/** Sends a call down a real pipeline whose dispatch is this upstream. Throws the refusal if it is refused. */
export async function cross(upstream: Upstream, crossing: Crossing): Promise<Answer> {
  const { tool, argumentsText = '{}', timeoutMs, signal, onProgress, onSent, onPermit } = crossing;
  const { stages } = fakeStages(
    {
      dispatch: (permit, hop) => {
        onPermit?.(permit);
        const sent = () => {
          hop.sent();
          onSent?.();
        };
        return upstream.open(permit, { ...hop, sent });
      },
    },
    [tool],
  );
  const call = fakeCall(
    {
      name: tool.name,
      argumentsText: argumentsText as JsonText,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(onProgress && { onProgress }),
    },
    { ...(signal && { signal }), ...(crossing.callId !== undefined && { id: crossing.callId as never }) },
  );
  const outcome = await createPipeline(stages).invoke(call);
  if (outcome.kind === 'answered') return outcome.content;
  throw outcome.kind === 'refused' ? outcome.error : new Error('suspended');
}

/** The reason of the refusal, or the answer's text. */
export async function fateOf(crossing: Promise<Answer>): Promise<string> {
  try {
    return (await crossing).text;
  } catch (error) {
    return error instanceof GatewayError ? error.reason : String(error);
  }
}

/** The tool `Test.Echo` of a service, as the catalog would have it. */
export function echoTool(service: string, overrides: Partial<Tool> = {}): Tool {
  return fakeTool({ name: `${service}.Test.Echo`, timeoutMs: 10_000, ...overrides });
}
