import { type Answer, failure, success, toolFailure } from './answer.ts';
import type { CallContext } from './call-context.ts';
import type { CallLogger } from './log.ts';
import { describeIssues } from './schema.ts';
import { ToolError } from './tool-error.ts';
import type { ReadyTool } from './tool-table.ts';

/** Runs the handler of a tool, between its two checks. Never rejects. */
export async function runTool(tool: ReadyTool, args: object, context: CallContext): Promise<Answer> {
  try {
    // JSON can carry a member of this name, and a handler that copies its input would take a new prototype from it.
    if (Object.hasOwn(args, '__proto__')) Reflect.deleteProperty(args, '__proto__');
    const checking = tool.input.check(args);
    const input = checking instanceof Promise ? await checking : checking;
    if (input.issues !== undefined) {
      return toolFailure('invalid_argument', `The arguments do not match the schema. ${describeIssues(input.issues)}`);
    }
    // The table holds handlers of all types; this value has just been checked by the schema that types this one.
    const output = await tool.handler(input.value as never, context);
    if (tool.output === undefined) return success(output);
    const rechecking = tool.output.check(output);
    const checked = rechecking instanceof Promise ? await rechecking : rechecking;
    if (checked.issues === undefined) return success(checked.value);
    logFailure(context.log, new TypeError(`The output does not match its schema. ${describeIssues(checked.issues)}`));
    return failure('internal');
  } catch (thrown) {
    if (thrown instanceof ToolError) return toolFailure(thrown.code, thrown.message);
    // After a cancel it is most often the signal's own error, and nobody waits for an answer.
    if (!context.abandoned) logFailure(context.log, thrown);
    return failure('internal');
  }
}

/** Tells the operator, and nobody else, what a handler did. */
export function logFailure(log: CallLogger, err: unknown): void {
  log.error('the tool failed', { err });
}
