import { ClaimError, type Claims, claimAt } from './claims.ts';

/** What a token is bound to: it is worth nothing without proof of these. */
export interface Binding {
  /** Thumbprint of the key that a DPoP proof has to be signed with (RFC 9449 §6). */
  readonly jkt?: string;
  /** Thumbprint of the client certificate (RFC 8705 §3.1). */
  readonly certificate?: string;
}

const thumbprint = /^[A-Za-z0-9_-]{43}$/;

/**
 * What a token's `cnf` (RFC 7800) binds it to; `undefined` for a token that anybody may carry.
 *
 * @throws ClaimError for a kind of confirmation that cannot be checked here: such a token is not to be taken for a free one.
 */
export function bindingIn(claims: Claims): Binding | undefined {
  const cnf = claimAt(claims, 'cnf');
  if (cnf === undefined) return undefined;
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) throw new ClaimError('cnf: not an object');
  const members = Object.entries(cnf);
  if (members.length === 0) throw new ClaimError('cnf: empty');
  const binding: { jkt?: string; certificate?: string } = {};
  for (const [name, value] of members) {
    if (typeof value !== 'string' || !thumbprint.test(value)) throw new ClaimError(`cnf: ${name} is no thumbprint`);
    if (name === 'jkt') binding.jkt = value;
    else if (name === 'x5t#S256') binding.certificate = value;
    else throw new ClaimError(`cnf: ${name} cannot be checked`);
  }
  return binding;
}
