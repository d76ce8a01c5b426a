/** A template of URIs in the simplest form of RFC 6570 (level 1): `tasks://{project}/{id}`. */
export interface UriTemplate {
  readonly variables: readonly string[];
  /** How much of a URI it says: of several templates that cover one, the one that says most stands for it. */
  readonly weight: number;
  /** Whether a gateway goes by what this template says of a URI: it knows of a variable only that something stands there. */
  covers(uri: string): boolean;
  /** The values of the variables, decoded; `undefined` for a URI that is none of these. Takes linear time. */
  match(uri: string): Readonly<Record<string, string>> | undefined;
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/;
/** What RFC 3986 allows in a URI. */
const uriText = /^[!#$%&'()*+,/:;=?@[\]A-Za-z0-9._~-]*$/;
const maxUriLength = 2_048;

/** Whether a text is a URI that a resource may have: absolute, and not too long. */
export function isUri(text: string): boolean {
  return text.length <= maxUriLength && scheme.test(text) && uriText.test(text);
}

/**
 * Reads a template. A variable stands for one character or more, without `/`, `?` and `#`.
 *
 * @throws TypeError for what is no template, for operators of higher levels, and where two variables touch.
 */
export function parseUriTemplate(template: string): UriTemplate {
  const parts = template.split(/\{([^{}]*)\}/);
  const literals = parts.filter((_, index) => index % 2 === 0);
  const variables = parts.filter((_, index) => index % 2 === 1);
  const fault = faultOf(template, literals, variables);
  if (fault !== undefined) throw new TypeError(`${JSON.stringify(template)}: ${fault}`);
  return {
    variables,
    weight: literals.join('').length,
    covers: (uri) => covers(uri, literals),
    match: (uri) => match(uri, literals, variables),
  };
}

function covers(uri: string, literals: readonly string[]): boolean {
  const first = literals[0] ?? '';
  const last = literals.at(-1) ?? '';
  const end = uri.length - last.length;
  if (end < first.length || !uri.startsWith(first) || !uri.endsWith(last)) return false;
  let from = first.length;
  for (const literal of literals.slice(1, -1)) {
    const at = uri.indexOf(literal, from);
    if (at === -1 || at + literal.length > end) return false;
    from = at + literal.length;
  }
  return true;
}

function faultOf(template: string, literals: readonly string[], variables: readonly string[]): string | undefined {
  if (template.length > maxUriLength) return `longer than ${maxUriLength} characters`;
  if (variables.length === 0) return 'a template has variables; for one URI there is `resource`';
  const odd = variables.find((name) => !variableName.test(name));
  if (odd !== undefined) return `a variable is letters, digits and _, a letter first: not {${odd}}`;
  if (new Set(variables).size !== variables.length) return 'a variable is there twice';
  if (!scheme.test(literals[0] ?? '')) return 'it must begin with a scheme, as in `tasks://{id}`';
  if (!literals.every((literal) => uriText.test(literal))) return 'it has characters that no URI has';
  return literals.slice(1, -1).includes('') ? 'two variables touch: nobody could tell where one ends' : undefined;
}

/**
 * Each variable ends at the first place where what follows it in the template follows it in the URI. Later places need not
 * be tried: what is between is then part of the next variable.
 */
function match(
  uri: string,
  literals: readonly string[],
  variables: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const first = literals[0] ?? '';
  if (uri.length > maxUriLength || !uri.startsWith(first)) return undefined;
  const values: [string, string][] = [];
  let start = first.length;
  for (const [index, name] of variables.entries()) {
    const after = literals[index + 1] ?? '';
    const end = index === variables.length - 1 ? lastEnd(uri, after) : uri.indexOf(after, start + 1);
    const value = end > start ? decode(uri.slice(start, end)) : undefined;
    if (value === undefined) return undefined;
    values.push([name, value]);
    start = end + after.length;
  }
  return Object.fromEntries(values);
}

function lastEnd(uri: string, suffix: string): number {
  return uri.endsWith(suffix) ? uri.length - suffix.length : -1;
}

function decode(text: string): string | undefined {
  if (/[/?#]/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
