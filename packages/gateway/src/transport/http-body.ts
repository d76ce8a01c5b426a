import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';

/** What came of reading a body. `bytes` counts what was received, or what was announced if that was too much already. */
export type Body =
  | { readonly kind: 'text'; readonly text: string; readonly bytes: number }
  | { readonly kind: 'too-large' | 'not-utf8'; readonly bytes: number }
  /** The caller went away in the middle. */
  | { readonly kind: 'gone' };

/** Reads a body of at most `maxBytes` as strict UTF-8. A byte order mark stays, for the JSON parser to refuse. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Body> {
  const announced = Number(request.headers['content-length']);
  if (announced > maxBytes) return Promise.resolve({ kind: 'too-large', bytes: announced });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      request.removeAllListeners('data');
      request.pause();
      resolve({ kind: 'too-large', bytes });
    });
    request.once('end', () => resolve(decode(chunks, bytes)));
    request.once('close', () => resolve({ kind: 'gone' }));
    request.once('error', () => resolve({ kind: 'gone' }));
  });
}

function decode(chunks: readonly Buffer[], bytes: number): Body {
  const [only] = chunks;
  const whole = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, bytes);
  if (!isUtf8(whole)) return { kind: 'not-utf8', bytes };
  return { kind: 'text', text: whole.toString('utf8'), bytes };
}
