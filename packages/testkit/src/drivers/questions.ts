import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { SessionClient } from './driver.ts';

/** A request of the gateway's own: a question for the client (MCP 2025-11-25: elicitation, sampling, roots). */
export interface ReceivedQuestion {
  readonly id: JsonValue;
  readonly method: string;
  readonly params: JsonObject;
}

/** The question in a message, if it is one. */
export function questionIn(text: string): ReceivedQuestion | undefined {
  const message = parse(text);
  if (!isJsonObject(message) || message.id === undefined || typeof message.method !== 'string') return undefined;
  return { id: message.id, method: message.method, params: isJsonObject(message.params) ? message.params : {} };
}

/** Reads an event stream piece by piece, and tells of the messages in it as they come. */
export function eventReader(onMessage: (text: string) => void): (text: string) => void {
  let pending = '';
  return (text) => {
    const lines = (pending + text).split(/\r?\n/);
    pending = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) onMessage(line.slice('data:'.length).trim());
  };
}

/** What a client says to a question, as a message. Who has no answers refuses. */
export async function answerTo({ answer }: SessionClient, { id, method, params }: ReceivedQuestion): Promise<string> {
  const reply =
    answer === undefined
      ? { error: { code: -32601, message: 'nobody can be asked here' } }
      : { result: await answer(method, params) };
  return JSON.stringify({ jsonrpc: '2.0', id, ...reply });
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
