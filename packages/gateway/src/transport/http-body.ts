import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { createGathering } from '@sallyport/protocol';

/** Bytes of bodies that are being received, over all connections. Bounds what callers that nobody knows yet can make us hold. */
export interface BodyBudget {
  /** False when there is no room. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** Makes a budget of so many bytes. */
export function createBodyBudget(maxBytes: number): BodyBudget {
  let held = 0;
  return {
    take: (bytes) => {
      if (held + bytes > maxBytes) return false;
      held += bytes;
      return true;
    },
    give: (bytes) => {
      held -= bytes;
    },
  };
}

/** What came of reading a body. `bytes` counts what was received, or what was announced if that was too much already. */
export type Body =
  | { readonly kind: 'text'; readonly text: string; readonly bytes: number }
  | { readonly kind: 'too-large' | 'too-many' | 'not-utf8'; readonly bytes: number }
  /** The caller went away in the middle. */
  | { readonly kind: 'gone' };

/** How much of a body, and of all bodies together, is taken. */
export interface BodyLimits {
  readonly maxBytes: number;
  readonly budget: BodyBudget;
}

/** Reads a body as strict UTF-8. A byte order mark stays, for the JSON parser to refuse. */
export function readBody(request: IncomingMessage, { maxBytes, budget }: BodyLimits): Promise<Body> {
  const announced = Number(request.headers['content-length']);
  if (announced > maxBytes) return Promise.resolve({ kind: 'too-large', bytes: announced });
  return new Promise((resolve) => {
    let gathering = createGathering();
    let bytes = 0;
    const settle = (body: Body): void => {
      budget.give(gathering.bytes().length);
      gathering = createGathering();
      resolve(body);
    };
    const stop = (kind: 'too-large' | 'too-many'): void => {
      request.removeAllListeners('data');
      request.pause();
      settle({ kind, bytes });
    };
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) stop('too-large');
      else if (budget.take(chunk.length)) gathering.add(chunk);
      else stop('too-many');
    });
    request.once('end', () => settle(decode(gathering.bytes())));
    request.once('close', () => settle({ kind: 'gone' }));
    request.once('error', () => settle({ kind: 'gone' }));
  });
}

function decode(whole: Uint8Array): Body {
  const bytes = whole.length;
  if (!isUtf8(whole)) return { kind: 'not-utf8', bytes };
  return { kind: 'text', text: textOf(whole), bytes };
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
}
