import { hash } from 'node:crypto';
import { hopMethods, isJsonObject, type JsonObject, type JsonValue, membersOf, memberText } from '@sallyport/protocol';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { meantBy } from '../meaning.ts';
import type { Principal, Statement } from '../tool-options.ts';
import { readPrincipal } from './principal.ts';
import { createSeenIds } from './seen-ids.ts';

/** Which gateway is believed. */
export interface GatewayTrust {
  /** Where its public keys are: `https://gate.example/.well-known/sallyport/assertion-keys.json`; `http` only on this machine. */
  readonly keysUrl: string;
  /** What it is called (`iss`): its `publicUrl`. Default: whoever has the keys. */
  readonly issuer?: string;
}

/** A call that a gateway vouches for. */
export interface Vouched {
  readonly principal: Principal;
  readonly statement: Statement;
  /** What the caller needs one of, where the operator has replaced what is declared. */
  readonly needs?: readonly string[];
}

/** A request as it came. */
export interface StatedRequest {
  readonly method: string;
  /** The body, byte for byte; empty where there is none. */
  readonly raw: string;
}

/** Why a request is not believed: for the log. The caller learns only that it is not. */
export type Distrust = 'no_statement' | 'not_valid' | 'not_known' | 'altered' | 'replayed' | 'misdirected' | 'no_keys';

/** Checks what comes with requests. */
export interface StatementCheck {
  /** Looks at the statement alone: before a stranger may send a body. */
  read(header: string | readonly string[] | undefined): Promise<JWTPayload | Distrust>;
  /** Whether it is about this very request; uses it up. `undefined`: the request is the gateway's own and carries no call. */
  confirm(claims: JWTPayload, request: StatedRequest): Vouched | undefined | Distrust;
}

/** The header that statements travel in. */
export const statementHeader = 'sallyport-assertion';

const statementType = 'sallyport-assertion+jwt';
/** What is good for longer was not made by a gateway. */
const longestLifeSeconds = 60;
const clockTolerance = 5;
const needed = ['jti', 'exp', 'iat', 'sub', 'htm', 'body'];

/**
 * Makes the check. Keys are asked for when they are needed, kept for ten minutes, and asked for again when one is not among them
 * (no more often than every half minute).
 *
 * @throws TypeError for a URL from which keys could be had that are somebody else's.
 */
export function createStatementCheck({
  service,
  trust,
  nowMs,
}: {
  readonly service: string;
  readonly trust: GatewayTrust;
  readonly nowMs: () => number;
}): StatementCheck {
  const keys = createRemoteJWKSet(keysUrl(trust), { timeoutDuration: 3_000 });
  const seen = createSeenIds(nowMs);
  return {
    async read(header) {
      if (header === undefined) return 'no_statement';
      if (typeof header !== 'string') return 'not_valid';
      return verify(header, { keys, service, trust, nowMs });
    },
    confirm(claims, request) {
      if (claims.htm !== request.method || claims.body !== digest(request.raw)) return 'altered';
      const { jti, exp } = claims;
      if (typeof jti !== 'string' || typeof exp !== 'number') return 'not_valid';
      const vouched = vouchedIn(claims, request.raw, service);
      if (typeof vouched === 'string') return vouched;
      return seen.use(jti, (exp + clockTolerance) * 1000) ? vouched : 'replayed';
    },
  };
}

function keysUrl({ keysUrl: text }: GatewayTrust): URL {
  const url = new URL(text);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isHere)) return url;
  throw new TypeError(
    'gateway.keysUrl: https, or http on this machine; anybody on the way could put in keys otherwise',
  );
}

interface Verifying {
  readonly keys: JWTVerifyGetKey;
  readonly service: string;
  readonly trust: GatewayTrust;
  readonly nowMs: () => number;
}

async function verify(text: string, { keys, service, trust, nowMs }: Verifying): Promise<JWTPayload | Distrust> {
  try {
    const { payload } = await jwtVerify(text, keys, {
      algorithms: ['EdDSA', 'Ed25519'],
      typ: statementType,
      audience: service,
      ...(trust.issuer !== undefined && { issuer: trust.issuer }),
      requiredClaims: needed,
      clockTolerance,
      maxTokenAge: longestLifeSeconds,
      currentDate: new Date(nowMs()),
    });
    const { aud, exp = 0, iat = 0 } = payload;
    // One that is good elsewhere too could be used there by this service.
    return aud === service && exp - iat <= longestLifeSeconds ? payload : 'not_valid';
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'not_known';
    const isOurTrouble = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
    return error instanceof errors.JOSEError && !isOurTrouble && error.code !== 'ERR_JOSE_GENERIC'
      ? 'not_valid'
      : 'no_keys';
  }
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url');
}

/** What the body asks for must be what was permitted; what asks for no call needs no permission. */
function vouchedIn(claims: JWTPayload, raw: string, service: string): Vouched | undefined | Distrust {
  const message = parse(raw);
  const asked = isJsonObject(message) ? hopMethods.find((known) => known === message.method) : undefined;
  if (Array.isArray(message)) return 'misdirected';
  if (asked === undefined || !isJsonObject(message)) return undefined;
  const { call, target, method, traceparent, args, exp, iss, needs } = claims;
  const params = isJsonObject(message.params) ? message.params : {};
  const isMeant = asked.startsWith('tasks/') || target === meantBy(asked, params).tool;
  if (typeof call !== 'string' || typeof target !== 'string' || method !== asked || !isMeant) return 'misdirected';
  if (typeof args !== 'string' || !areArguments(args, asked, raw)) return 'altered';
  const principal = readPrincipal(claims);
  if (principal === undefined || typeof traceparent !== 'string') return 'not_valid';
  return {
    principal,
    statement: {
      by: 'assertion',
      ...(iss !== undefined && { issuer: iss }),
      ...{ audience: service, target, method: asked, callId: call, trace: traceparent, argumentsDigest: args },
      expiresAt: new Date((exp ?? 0) * 1000),
    },
    ...(Array.isArray(needs) && { needs: needs.map(String) }),
  };
}

/** Other methods have no arguments of their own in the body: there the digest of the whole body says it all. */
function areArguments(claimed: string, method: string, raw: string): boolean {
  if (method !== 'tools/call' && method !== 'prompts/get') return true;
  const params = memberText(raw, membersOf(raw), 'params') ?? '{}';
  return digest(memberText(params, membersOf(params), 'arguments') ?? '{}') === claimed;
}

function parse(raw: string): JsonValue | undefined {
  if (raw === '') return undefined;
  try {
    return JSON.parse(raw) as JsonObject;
  } catch {
    return undefined;
  }
}
