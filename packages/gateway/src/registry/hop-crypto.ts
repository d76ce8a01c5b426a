import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ProofCrypto } from '@sallyport/protocol';

/** The cryptography of the hop's proof, by Node's own library. */
export const hopCrypto: ProofCrypto = {
  nonce: () => randomBytes(32).toString('base64url'),
  mac: (key, text) => createHmac('sha256', Buffer.from(key, 'base64url')).update(text).digest('base64url'),
  equal(a, b) {
    const left = Buffer.from(a);
    const right = Buffer.from(b);
    return left.length === right.length && timingSafeEqual(left, right);
  },
};
