const sentinelStart = '=?base64?';
const sentinelEnd = '?=';
const canonicalBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const plainHeader = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;

/**
 * Reads a value that MCP mirrors into a header (2026-07-28, Streamable HTTP, value encoding): plain ASCII, or UTF-8 in the
 * Base64 sentinel `=?base64?…?=`. Returns `undefined` for characters that may not be there and for broken Base64.
 */
export function decodeHeaderValue(raw: string): string | undefined {
  if (!/^[\x20-\x7e\t]*$/.test(raw)) return undefined;
  // Of what may be here it takes away spaces and tabs only, and in linear time, as a pattern would not.
  const value = raw.trim();
  const isSentinel =
    value.length >= sentinelStart.length + sentinelEnd.length &&
    value.startsWith(sentinelStart) &&
    value.endsWith(sentinelEnd);
  return isSentinel ? decodeBase64(value.slice(sentinelStart.length, -sentinelEnd.length)) : value;
}

/** Writes a value for a header: as it is where that is safe, else in the Base64 sentinel. */
export function encodeHeaderValue(value: string): string {
  const isPlain = value === '' || (plainHeader.test(value) && !value.startsWith(sentinelStart));
  return isPlain ? value : `${sentinelStart}${encodeBase64(value)}${sentinelEnd}`;
}

function decodeBase64(text: string): string | undefined {
  if (!canonicalBase64.test(text)) return undefined;
  let bits = 0;
  let held = 0;
  let percent = '';
  for (const char of text.replace(/=+$/, '')) {
    held = ((held << 6) | alphabet.indexOf(char)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    percent += `%${((held >> bits) & 0xff).toString(16).padStart(2, '0')}`;
  }
  // Bits that say nothing have to be zero: one text has one spelling.
  if ((held & ((1 << bits) - 1)) !== 0) return undefined;
  try {
    // The language's own strict UTF-8 decoder: this package knows no platform.
    return decodeURIComponent(percent);
  } catch {
    return undefined;
  }
}

function encodeBase64(value: string): string {
  const bytes = utf8(value);
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second, third] = bytes.slice(at, at + 3);
    const joined = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    text += alphabet.charAt(joined >> 18) + alphabet.charAt((joined >> 12) & 63);
    text += second === undefined ? '=' : alphabet.charAt((joined >> 6) & 63);
    text += third === undefined ? '=' : alphabet.charAt(joined & 63);
  }
  return text;
}

function utf8(value: string): readonly number[] {
  const escaped = encodeURIComponent(value.toWellFormed());
  return (escaped.match(/%[0-9A-F]{2}|./g) ?? []).map((part) =>
    part.length === 3 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0),
  );
}
