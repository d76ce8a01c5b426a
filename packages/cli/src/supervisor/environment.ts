/** Variables a child gets from ours: what programs need to find themselves and to print. Nothing that could be a secret. */
const inherited = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SystemRoot'] as const;

type Variables = Readonly<Record<string, string | undefined>>;

/** Where the variables of a child come from. */
export interface EnvironmentSources {
  /** Our own environment, of which only a few harmless names pass. */
  readonly own: Variables;
  /** The service's `env` in the configuration. */
  readonly declared?: Readonly<Record<string, string>>;
  /** What the supervisor itself tells the service; wins over everything else. */
  readonly given: Readonly<Record<string, string>>;
}

/**
 * The whole environment of a child process. It starts from nothing: a key exported in the shell that runs
 * `sallyport run` does not reach a service unless the configuration names it.
 */
export function childEnvironment({ own, declared = {}, given }: EnvironmentSources): Record<string, string> {
  const kept = inherited.flatMap((name) => {
    const value = own[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), ...declared, ...given };
}
