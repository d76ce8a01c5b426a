import type { GatewayError } from '@sallyport/core';

/** What challenges tell, beside what is wrong. */
export interface ChallengeOptions {
  /** Of the endpoint that was asked (RFC 9728 §5.1). Absent: there is no authorization server to be told of. */
  readonly resourceMetadataUrl?: string;
  /** What to ask for to begin with, where nothing was presented. */
  readonly scopes?: readonly string[];
  /** Absent: proofs of possession are not judged here. */
  readonly dpop?: {
    readonly algorithms: readonly string[];
    /** The one that the next proof has to hold, where nonces are wanted. */
    readonly nonce?: string;
    /** Whether tokens without a key are refused. */
    readonly isRequired?: boolean;
  };
}

type Parameters = readonly (readonly [name: string, value: string | undefined])[];

/**
 * The headers that tell an OAuth client what to do about a refusal (RFC 6750 §3, RFC 9449 §7.1 and §9, RFC 9728 §5.1): where to
 * get a token, with which scopes, or what its proof lacks. None for refusals that no other token would change.
 *
 * For a scope that is missing all scopes of the operation are named at once, so that one step up is enough.
 */
export function challengeHeaders(
  error: GatewayError,
  options: ChallengeOptions = {},
): Readonly<Record<string, string>> {
  const { dpop } = options;
  const nonce = dpop?.nonce === undefined ? {} : { 'DPoP-Nonce': dpop.nonce };
  if (error.code !== 'unauthenticated' && error.reason !== 'insufficient_scope') return {};
  const common: Parameters = [...parametersOf(error, options), ['resource_metadata', options.resourceMetadataUrl]];
  const isProof = error.reason === 'proof_invalid' || error.reason === 'proof_nonce';
  const challenges = [
    ...(isProof || dpop?.isRequired === true ? [] : [challenge('Bearer', common)]),
    ...(isProof || dpop ? [challenge('DPoP', [...common, ['algs', dpop?.algorithms.join(' ')]])] : []),
  ];
  return { 'WWW-Authenticate': challenges.join(', '), ...nonce };
}

function parametersOf(error: GatewayError, { scopes = [] }: ChallengeOptions): Parameters {
  const description = ['error_description', error.message] as const;
  switch (error.reason) {
    case 'credential_missing':
      // RFC 6750 §3.1: nothing was presented, so nothing was wrong with it.
      return scopes.length > 0 ? [['scope', scopes.join(' ')]] : [];
    case 'insufficient_scope':
      return [['error', 'insufficient_scope'], ['scope', (error.details.scopes ?? []).join(' ')], description];
    case 'second_factor_required': {
      // RFC 9470 §3: the client is to send its user to sign in again, so.
      const { acrValues = [], maxAgeMs } = error.details;
      return [
        ['error', 'insufficient_user_authentication'],
        description,
        ['acr_values', acrValues.length > 0 ? acrValues.join(' ') : undefined],
        ['max_age', maxAgeMs === undefined ? undefined : String(Math.floor(maxAgeMs / 1000))],
      ];
    }
    case 'proof_invalid':
      return [['error', 'invalid_dpop_proof'], description];
    case 'proof_nonce':
      return [['error', 'use_dpop_nonce'], description];
    default:
      return [['error', 'invalid_token'], description];
  }
}

/** Values are printable ASCII without quotes and backslashes: nothing that a caller or a service sent can end a quoted text. */
function challenge(scheme: string, parameters: Parameters): string {
  const texts = parameters.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`],
  );
  return [scheme, texts.join(', ')].join(' ').trim();
}
