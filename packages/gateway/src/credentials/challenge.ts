/** What a refusal asks for (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1). */
export interface Challenge {
  /** Lower case. */
  readonly schemes: readonly string[];
  readonly error?: string;
  /** The scopes that the operation needs. */
  readonly scopes?: readonly string[];
  /** Where the metadata of the resource is. */
  readonly resourceMetadata?: string;
}

const longestHeader = 8_192;
const part = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w/:@?-]+)))?/g;

/** Reads `WWW-Authenticate`, of one or several challenges (RFC 9110 §11.6.1). Parameters of OAuth schemes count together. */
export function readChallenge(header: string | undefined): Challenge {
  if (header === undefined || header.length > longestHeader) return { schemes: [] };
  const schemes: string[] = [];
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, plain] of header.matchAll(part)) {
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
    const lower = name.toLowerCase();
    if (value === undefined) schemes.push(lower);
    // The first one counts: a second challenge says the same, or nothing that could be told apart.
    else if (isOauth(schemes.at(-1)) && !parameters.has(lower)) parameters.set(lower, value);
  }
  const [error, scope, resourceMetadata] = ['error', 'scope', 'resource_metadata'].map((name) => parameters.get(name));
  return {
    schemes,
    ...(error !== undefined && { error }),
    ...(scope !== undefined && { scopes: scopesIn(scope) }),
    ...(resourceMetadata !== undefined && { resourceMetadata }),
  };
}

function isOauth(scheme: string | undefined): boolean {
  return scheme === 'bearer' || scheme === 'dpop';
}

/** A list of scopes as OAuth writes it. */
export function scopesIn(text: string): readonly string[] {
  return [...new Set(text.split(' ').filter((scope) => scope !== ''))];
}
