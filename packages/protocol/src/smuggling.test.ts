import { smuggledBodies, smuggledMessages, smuggledPairs } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { readJsonRpc } from './json-rpc.ts';
import { splitParams } from './relay/params.ts';
import { parseStrict, StrictJsonError } from './strict-json.ts';

/** What a gateway does with a message before it decides anything; the word is a reason of its error table. */
function verdict(text: string): string {
  try {
    const json = parseStrict(text);
    const message = readJsonRpc(json);
    if (message.kind !== 'request') return 'malformed_request';
    return splitParams(json, message.method).kind;
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return error.problem === 'syntax' ? 'malformed_json' : 'malformed_request';
  }
}

describe('a message that two readers read in two ways', () => {
  it.each(smuggledPairs)('is refused for $name', ({ text, plain, reason }) => {
    expect(verdict(text)).toBe(reason);
    expect(verdict(plain)).toBe('params');
  });

  it.each(smuggledMessages)('is refused for $name', ({ text, reason }) => {
    expect(verdict(text)).toBe(reason);
  });
});

describe('a body of bytes', () => {
  it.each(smuggledBodies)('is no message with $name', ({ bytes }) => {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return;
    }
    expect(verdict(text)).toBe('malformed_json');
  });
});
