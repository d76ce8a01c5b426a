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
  const permits = denies.length === 0 && verdicts.every(isVerdict);
  return {
    effect: permits ? 'permit' : 'deny',
    policies: deciding.flatMap((verdict) => verdict.policies),
    revision,
    ...(explanation !== undefined && { explanation }),
    ...(refusal && { refusal }),
    ...(permits
      ? some(
          'obligations',
          verdicts.flatMap(({ obligations = [] }) => obligations),
        )
      : some(
          'reasons',
          denies.flatMap(({ reasons = [] }) => reasons),
        )),
    ...some(
      'errors',
      verdicts.flatMap(({ errors = [] }) => errors),
    ),
    ...shadowOf(verdicts),
  };
}

/** Nothing is not written down. */
function some<Name extends string, Item>(
  name: Name,
  items: readonly Item[],
): { readonly [Key in Name]?: readonly Item[] } {
  return items.length === 0 ? {} : ({ [name]: items } as { readonly [Key in Name]: readonly Item[] });
}

/** The same combination, with what each engine would have said with the policies that are only tried. */
function shadowOf(verdicts: readonly Verdict[]): Pick<Decision, 'shadow'> {
  const shadows = verdicts.flatMap(({ shadow }) => (shadow === undefined ? [] : [shadow]));
  if (shadows.length === 0) return {};
  const denies = verdicts.some(({ shadow, effect }) => (shadow?.effect ?? effect) === 'deny');
  return { shadow: { effect: denies ? 'deny' : 'permit', policies: shadows.flatMap(({ policies }) => policies) } };
}

function isVerdict(verdict: Verdict): boolean {
  return verdict.effect === 'permit' || verdict.effect === 'deny' || verdict.effect === 'abstain';
}
