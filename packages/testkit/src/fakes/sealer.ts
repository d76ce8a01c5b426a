import type { JsonObject } from '@sallyport/protocol';

/** A sealer that hides nothing: what it gives out can be read in a test, and is not good outside one. */
export const plainSealer = {
  seal: (kind: string, claims: JsonObject, _expiresAtMs: number): string =>
    Buffer.from(JSON.stringify({ kind, claims })).toString('base64url'),
  open(kind: string, text: string): JsonObject | undefined {
    try {
      const opened = JSON.parse(Buffer.from(text, 'base64url').toString()) as { kind: string; claims: JsonObject };
      return opened.kind === kind ? opened.claims : undefined;
    } catch {
      return undefined;
    }
  },
};
