import type { IncomingMessage, ServerResponse } from 'node:http';

/** Longest body that is looked into, in bytes: as long as the SDK takes them. */
const maxBodyBytes = 4 * 1024 * 1024;

/** Why a body could not be read. */
export class Unreadable {
  readonly status: 400 | 413;
  constructor(status: 400 | 413) {
    this.status = status;
  }
}

/** Reads a whole body as text. */
export async function readText(request: IncomingMessage): Promise<string | Unreadable> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) return new Unreadable(413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Parses a body, or says that it is none. */
export function parseBody(text: string | Unreadable): unknown {
  if (text instanceof Unreadable) return text;
  try {
    return JSON.parse(text);
  } catch {
    return new Unreadable(400);
  }
}

/** Answers what could not be read. */
export function refuseBody(response: ServerResponse, { status }: Unreadable): void {
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  const error = { code: -32700, message: status === 413 ? 'The body is too long' : 'Parse error' };
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
}
