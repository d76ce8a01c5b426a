/** Variables a server gets from ours: what programs need to find themselves and to print. Nothing that could be a secret. */
const inherited = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SystemRoot'] as const;

/**
 * The whole environment of a stdio server. It starts from nothing: what the gateway was started with does not reach a
 * server that somebody else wrote, unless the configuration names it.
 */
export function stdioEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  declared: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const kept = inherited.flatMap((name) => {
    const value = own[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), ...declared };
}
