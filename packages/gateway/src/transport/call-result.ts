import { type Answer, type Code, everything, type GatewayError, type JsonText, type Outcome } from '@sallyport/core';
import { isJsonObject, type JsonValue, metaKeys, rewriteResult } from '@sallyport/protocol';
import { namingAt } from './mcp-naming.ts';
import { refusalText } from './refusal.ts';
import { comeBackText } from './waiting.ts';

/** Services read one message per line, and outside strings white space is all a newline can be. */
export function singleLine(json: string): JsonText {
  return (/[\n\r]/.test(json) ? json.replace(/[\n\r]/g, ' ') : json) as JsonText;
}

/** An answer with the URIs in it named as they are where everything is offered: so they can be asked for there. */
export function namedInFull<Named extends Outcome<Answer>>(outcome: Named, method: string): Named {
  if (outcome.kind !== 'answered' || outcome.content.service === undefined) return outcome;
  const { service, text } = outcome.content;
  const named = rewriteResult(namingAt(everything, service), method, text);
  return named === text ? outcome : { ...outcome, content: { ...outcome.content, text: named as JsonText } };
}

/** The `CallToolResult` of an outcome, as text. Bad input is a result too, so that the model sees it and can do better. */
export function callResult(outcome: Outcome<Pick<Answer, 'text' | 'shape' | 'resultType'>>): string {
  if (outcome.kind === 'answered') return answerResult(outcome.content);
  if (outcome.kind === 'suspended') {
    return errorResult(comeBackText(outcome), { [metaKeys.question]: outcome.question });
  }
  const { error } = outcome;
  const { intent, issues = [] } = error.details;
  const text = [refusalText(error), ...(intent === undefined ? issues : [])].join('\n');
  return errorResult(text, { [metaKeys.error]: errorFacts(error) });
}

function answerResult({ text, shape, resultType }: Pick<Answer, 'text' | 'shape' | 'resultType'>): string {
  if (shape === 'error') return serverErrorResult(text);
  if (resultType === undefined) return text;
  // Whoever takes plain results takes no half ones.
  const message = 'The service did not finish the call: it asks something, or goes on in the background.';
  return errorResult(message, { [metaKeys.error]: { code: 'failed_precondition', message } });
}

/** A server's JSON-RPC error as the result of a tool that failed. */
function serverErrorResult(errorText: string): string {
  const error = JSON.parse(errorText) as JsonValue;
  const { code, message } = isJsonObject(error) ? error : {};
  const text = typeof message === 'string' ? message : '';
  return errorResult(text, { [metaKeys.error]: { code: codes.get(Number(code)) ?? 'unknown', message: text } });
}

const codes: ReadonlyMap<number, Code> = new Map<number, Code>([
  [-32601, 'unimplemented'],
  [-32602, 'invalid_argument'],
  [-32603, 'internal'],
  [-32002, 'not_found'],
]);

function errorFacts(error: GatewayError): object {
  const { issues, reasons } = error.details;
  const { code, reason, message } = error;
  return { code, reason, message, ...(reasons && { reasons }), ...(issues && { issues }) };
}

function errorResult(text: string, meta: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ content: [{ type: 'text', text }], isError: true, _meta: meta });
}
