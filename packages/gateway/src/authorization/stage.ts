import type { Decision, PolicyEngine, Stages, Verdict } from '@sallyport/core';

/**
 * Asks every engine; one deny denies. Scopes have already been checked, so where all abstain the call is permitted. An
 * engine that throws or answers nonsense denies: the error is the pipeline's to record.
 */
export function createAuthorize(engines: readonly PolicyEngine[]): Stages['authorize'] {
  return (request) => {
    const verdicts = engines.map((engine) => engine.decide(request));
    const revision = engines.map((engine) => engine.revision()).join(' ');
    // Engines that answer at once keep the hot path free of promises.
    return verdicts.some((verdict) => verdict instanceof Promise)
      ? Promise.all(verdicts).then((settled) => combine(settled, revision))
      : combine(verdicts as Verdict[], revision);
  };
}

function combine(verdicts: readonly Verdict[], revision: string): Decision {
  const denies = verdicts.filter((verdict) => verdict.effect === 'deny');
  const deciding = denies.length > 0 ? denies : verdicts.filter((verdict) => verdict.effect === 'permit');
  // Where another engine denies as well, its silence counts.
  const [refusal] = denies.every((verdict) => verdict.refusal !== undefined) ? denies.map((one) => one.refusal) : [];
  const explanation = denies.find((verdict) => verdict.explanation !== undefined)?.explanation;
  return {
    effect: denies.length === 0 && verdicts.every(isVerdict) ? 'permit' : 'deny',
    policies: deciding.flatMap((verdict) => verdict.policies),
    revision,
    ...(explanation !== undefined && { explanation }),
    ...(refusal && { refusal }),
  };
}

function isVerdict(verdict: Verdict): boolean {
  return verdict.effect === 'permit' || verdict.effect === 'deny' || verdict.effect === 'abstain';
}
