import { type AccessRequest, type Decision, GatewayError, type Obligation, type Stages } from '@sallyport/core';

/** What proves that somebody signed in with more than a password. Any one of them is enough. */
export interface SecondFactorSettings {
  /** Values of `acr` (OpenID Connect). The first is what clients are told to ask for, with the others. */
  readonly acr: readonly string[];
  /** Values of which `amr` has one (RFC 8176). */
  readonly amr: readonly string[];
}

/** The `acr` of the built-in authorization server for a sign-in with a second factor. */
export const ownAcr = 'urn:sallyport:acr:mfa';

/** What counts where nobody says otherwise: `phr` and `phrh` are OpenID's for what cannot be phished. */
export const defaultSecondFactor: SecondFactorSettings = {
  acr: [ownAcr, 'phr', 'phrh'],
  amr: ['mfa', 'otp', 'hwk', 'sc'],
};

/** Whose clock is ahead has not signed in tomorrow. */
const skewMs = 60_000;

/** Who sees to each kind of obligation. One that is not here is nobody's, and refuses. */
const keptBy: Readonly<Record<Obligation['kind'], string>> = {
  approve: 'the stage approve',
  consent: 'the stage approve',
  'second-factor': 'this',
  redact: 'an output filter',
  limit: 'a quota',
  notify: 'a quota, which hears how the call ended',
  audit: 'the pipeline',
};

/**
 * Holds permits to what they ask for: without a sign-in that is good enough, and recent enough, nothing is permitted that asks
 * for one; and nothing is permitted that asks for what nobody here sees to. A list is not held to a second factor: whoever
 * has one yet to show has to know what for.
 */
export function holdToObligations(
  authorize: Stages['authorize'],
  settings: SecondFactorSettings = defaultSecondFactor,
): Stages['authorize'] {
  return (request) => {
    const decision = authorize(request);
    return decision instanceof Promise
      ? decision.then((made) => held(made, request, settings))
      : held(decision, request, settings);
  };
}

function held(decision: Decision, request: AccessRequest, settings: SecondFactorSettings): Decision {
  const { effect, obligations = [] } = decision;
  if (effect !== 'permit' || obligations.length === 0) return decision;
  const unknown = obligations.filter(({ kind }) => !Object.hasOwn(keptBy, kind));
  if (unknown.length > 0) {
    const policies = unknown.map(({ policy }) => policy);
    const explanation = `nobody here sees to: ${unknown.map(({ kind }) => kind).join(', ')}`;
    return { ...denied(decision, policies), explanation, errors: [...(decision.errors ?? []), ...policies] };
  }
  if (request.action === 'discover') return decision;
  const wanted = obligations.filter((one) => one.kind === 'second-factor');
  const missing = wanted.filter(({ maxAgeMs }) => !hasSecondFactor(request, settings, maxAgeMs));
  if (missing.length === 0) return decision;
  const ages = wanted.flatMap(({ maxAgeMs }) => (maxAgeMs === undefined ? [] : [maxAgeMs]));
  const refusal = new GatewayError('second_factor_required', {
    acrValues: settings.acr,
    ...(ages.length > 0 && { maxAgeMs: Math.min(...ages) }),
  });
  const policies = missing.map(({ policy }) => policy);
  return { ...denied(decision, policies), explanation: 'no second factor, or too long ago', refusal };
}

function denied({ obligations: _, ...decision }: Decision, policies: readonly string[]): Decision {
  return { ...decision, effect: 'deny', policies };
}

/** Whether verified claims say so: `acr`, `amr` and, where it may not be long ago, `auth_time` (seconds since the epoch). */
export function hasSecondFactor(
  { subject: { attributes }, context }: Pick<AccessRequest, 'subject' | 'context'>,
  { acr, amr }: SecondFactorSettings,
  maxAgeMs?: number,
): boolean {
  const { acr: level, amr: methods, auth_time: signedInS } = attributes;
  const used = Array.isArray(methods) ? methods : [methods];
  const isProved =
    (typeof level === 'string' && acr.includes(level)) ||
    used.some((method) => typeof method === 'string' && amr.includes(method));
  if (!isProved || maxAgeMs === undefined) return isProved;
  if (typeof signedInS !== 'number') return false;
  const ageMs = context.timeMs - signedInS * 1_000;
  return ageMs <= maxAgeMs && ageMs >= -skewMs;
}
