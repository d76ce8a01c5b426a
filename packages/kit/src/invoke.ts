import { randomBytes, randomUUID } from 'node:crypto';
import { formatTraceparent, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { Answer } from './answer.ts';
import { readError, readOutput } from './call-result.ts';
import type { Runner } from './runner.ts';
import { CallError } from './tool-error.ts';
import type { CallOptions, CallTool, Principal } from './tool-options.ts';

/** Choices for a call in a test. */
export interface InvokeOptions {
  /** Default: an agent called `test` without scopes. */
  readonly principal?: Partial<Principal>;
  /** Default: 30,000. */
  readonly timeoutMs?: number;
  /** Stands in for the services that the handler calls. */
  readonly call?: (tool: string, args: object) => unknown;
}

const tester: Principal = { subject: 'test', client: 'test', kind: 'agent', scopes: [], attributes: {} };
const defaultTimeoutMs = 30_000;

/** Runs one call without any network. Resolves with the output, throws `CallError` for everything else. */
export async function invoke(
  runner: Runner,
  { tool, args, principal, timeoutMs = defaultTimeoutMs, call }: InvokeOptions & { tool: string; args: object },
): Promise<JsonValue> {
  const trace = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex'), sampled: false };
  const answer = await new Promise<Answer>((resolve) => {
    runner.start(
      {
        tool,
        id: randomUUID(),
        traceparent: formatTraceparent(trace),
        timeoutMs,
        principal: { ...tester, ...principal },
        // As a caller would send them: what JSON cannot carry does not arrive.
        arguments: JSON.parse(JSON.stringify(args)),
        callTool: () => standIn(call),
      },
      resolve,
    );
  });
  if (answer.kind === 'error') throw readError(answer.error);
  // Without a schema the output is what was parsed from JSON.
  return (await readOutput(tool, JSON.parse(answer.text) as JsonObject, undefined)) as JsonValue;
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
