import type { GatewayError, JsonText, Outcome } from '@sallyport/core';
import { metaKeys } from '@sallyport/protocol';

/** Services read one message per line, and outside strings white space is all a newline can be. */
export function singleLine(json: string): JsonText {
  return (/[\n\r]/.test(json) ? json.replace(/[\n\r]/g, ' ') : json) as JsonText;
}

/** The `CallToolResult` of an outcome, as text. Bad input is a result too, so that the model sees it and can do better. */
export function callResult(outcome: Outcome<{ readonly text: string }>): string {
  if (outcome.kind === 'answered') return outcome.content.text;
  if (outcome.kind === 'suspended') {
    return errorResult(`This call waits: ${outcome.reason}`, { [metaKeys.question]: outcome.question });
  }
  const { error } = outcome;
  const text = [error.message, ...(error.details.issues ?? [])].join('\n');
  return errorResult(text, { [metaKeys.error]: errorFacts(error) });
}

function errorFacts(error: GatewayError): object {
  const { issues } = error.details;
  return { code: error.code, reason: error.reason, message: error.message, ...(issues && { issues }) };
}

function errorResult(text: string, meta: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ content: [{ type: 'text', text }], isError: true, _meta: meta });
}
