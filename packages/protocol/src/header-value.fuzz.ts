import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';

/**
 * Whatever a header says: it is refused, or read as what another decoder of Base64 and UTF-8 reads; and whatever is written
 * into a header is read back as it was and cannot end the header. For coverage-guided fuzzers and for property tests.
 *
 * @throws Error when it is not so.
 */
export function fuzzHeaderValue(text: string): string {
  checkWriting(text.toWellFormed());
  const decoded = decodeHeaderValue(text);
  if (decoded === undefined) return 'refused';
  checkWriting(decoded);
  const [, inside] = /^=\?base64\?(.*)\?=$/.exec(text.trim()) ?? [];
  if (inside === undefined) {
    if (decoded !== text.trim()) throw new Error('a plain value was changed');
    return 'plain';
  }
  const bytes = Buffer.from(inside, 'base64');
  if (bytes.toString('base64') !== inside) throw new Error('took Base64 that is not spelled as it should be');
  if (new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) !== decoded) {
    throw new Error('read another text than the platform');
  }
  return 'base64';
}

function checkWriting(value: string): void {
  const header = encodeHeaderValue(value);
  if (!/^[\x20-\x7e\t]*$/.test(header)) throw new Error('wrote what may not stand in a header');
  if (decodeHeaderValue(header) !== value) throw new Error('does not come back as it was');
}
