import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const gateway = 'https://gate.example'; // its publicUrl; 'sallyport' where it has none
const service = process.env.SERVICE ?? 'weather'; // what the gateway calls this server
const keys = createRemoteJWKSet(
  new URL(process.env.KEYS_URL ?? `${gateway}/.well-known/sallyport/assertion-keys.json`),
);
const used = new Map<unknown, number>();

/** Who calls, for whom, and what: of the request with this method and body. Throws when the gateway did not say so. */
export async function callerOf(method: string, statement: string, body: string) {
  const { payload } = await jwtVerify(statement, keys, {
    issuer: gateway,
    audience: service,
    typ: 'sallyport-assertion+jwt',
    algorithms: ['EdDSA'],
    requiredClaims: ['jti', 'exp', 'htm', 'body'],
  });
  const isOfThisRequest =
    payload.htm === method && payload.body === createHash('sha256').update(body).digest('base64url');
  for (const [id, until] of used) if (until * 1000 < Date.now()) used.delete(id);
  if (!isOfThisRequest || used.has(payload.jti)) throw new Error('the statement is of another request');
  used.set(payload.jti, payload.exp ?? 0);
  return payload; // sub, act, client_id, tenant, scope, intent; and for calls: call, method, target, args
}
