/** A scheme, an authority if there is one, and the rest. */
const parts = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/([^/?#\\]*))?(.*)$/s;

/**
 * Whether a URI goes back over its own path (`a://b/../c`), however that is written: whoever has nothing to hide leaves that
 * to nobody else to work out.
 */
export function isWinding(uri: string): boolean {
  return decoded(uri)
    .split(/[/\\?#]/)
    .some((segment) => segment === '.' || segment === '..');
}

/**
 * Other ways to write a URI that a careless server may take for the same thing: with fewer escapes, slashes and capitals,
 * without what stands behind the path. The URI itself is not among them.
 */
export function otherSpellings(uri: string): readonly string[] {
  const [, scheme = '', authority, rest = ''] = parts.exec(uri) ?? [];
  if (scheme === '') return [];
  const [path = ''] = rest.split(/[?#]/, 1);
  const [whole = ''] = rest.split('#', 1);
  const spellings = new Set<string>();
  for (const text of [rest, whole, path]) {
    for (const plain of [text, decoded(text)]) {
      const tidy = plain.replaceAll(/[/\\]+/g, '/');
      for (const ending of [tidy, tidy.replace(/\/$/, '')]) {
        spellings.add(`${scheme}:${authority === undefined ? '' : `//${authority}`}${ending}`);
        for (const host of hostsOf(scheme, authority)) spellings.add(`${scheme.toLowerCase()}:${host}${ending}`);
      }
    }
  }
  spellings.delete(uri);
  return [...spellings];
}

/** Files of this machine need no host, and may have one. */
function hostsOf(scheme: string, authority: string | undefined): readonly string[] {
  const host = authority === undefined ? undefined : decoded(authority).toLowerCase();
  if (scheme.toLowerCase() === 'file' && (host === undefined || host === '' || host === 'localhost')) {
    return ['', '//', '//localhost'];
  }
  return [host === undefined ? '' : `//${host}`];
}

function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
