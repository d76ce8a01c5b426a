import { type Answer, failure, toldError } from '../answer.ts';
import type { CallContext } from '../call-context.ts';
import { logFailure } from '../run-tool.ts';
import { ToolError } from '../tool-error.ts';

/** Runs what a service's own code has a part in: a `ToolError` is told, everything else goes to the log. Never rejects. */
export async function guarded(context: CallContext, body: () => Promise<Answer>): Promise<Answer> {
  try {
    return await body();
  } catch (thrown) {
    if (thrown instanceof ToolError) return toldError(thrown.code, thrown.message);
    if (!context.abandoned) logFailure(context.log, thrown);
    return failure('internal');
  }
}
