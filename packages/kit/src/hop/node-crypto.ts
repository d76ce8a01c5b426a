import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ProofCrypto } from '@sallyport/protocol';

/** The cryptography of the hop's proof, from Node. */
export const nodeCrypto: ProofCrypto = {
  nonce: () => randomBytes(32).toString('base64url'),
  mac: (key, text) => createHmac('sha256', Buffer.from(key, 'base64url')).update(text).digest('base64url'),
  equal: (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b)),
};
