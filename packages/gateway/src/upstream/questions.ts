import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';

/**
 * What a client would have to declare (as MCP `ClientCapabilities`) to be asked the questions of an `InputRequiredResult`,
 * where it did not. `undefined`: it may be asked all of them.
 */
export function undeclared(resultText: string, capabilitiesText: string): JsonObject | undefined {
  const declared = objectOf(JSON.parse(capabilitiesText) as JsonValue);
  const { inputRequests } = objectOf(JSON.parse(resultText) as JsonValue);
  let missing: JsonObject | undefined;
  for (const request of Object.values(objectOf(inputRequests))) {
    const needed = neededFor(objectOf(request));
    if (!covers(declared, needed)) missing = { ...missing, ...needed };
  }
  return missing;
}

/** Of one round: a person answers them one by one. */
const maxQuestions = 64;

/**
 * Whether a client may be asked all the questions of an `InputRequiredResult` at all: they are not too many, and none of them
 * has an address that is not for a browser to open.
 */
export function isHarmless(resultText: string): boolean {
  const { inputRequests } = objectOf(JSON.parse(resultText) as JsonValue);
  const requests = Object.values(objectOf(inputRequests));
  return (
    requests.length <= maxQuestions && requests.every((request) => isVisitable(objectOf(objectOf(request).params)))
  );
}

/**
 * Whether what a person is asked to open (MCP 2026-07-28, elicitation, URL mode), if anything, is a web address, and one that
 * says plainly whose: no script, no file, no name of another site before an `@`.
 */
export function isVisitable({ mode, url }: JsonObject): boolean {
  if (url === undefined && mode !== 'url') return true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is shown must be what is opened.
  if (typeof url !== 'string' || /[\u0000-\u0020\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\\]/.test(url))
    return false;
  const { protocol, username, password } = URL.parse(url) ?? {};
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

function neededFor({ method, params }: JsonObject): JsonObject {
  if (method === 'sampling/createMessage') return { sampling: {} };
  if (method === 'roots/list') return { roots: {} };
  if (method !== 'elicitation/create') return { experimental: { [String(method).slice(0, 100)]: {} } };
  return { elicitation: objectOf(params).mode === 'url' ? { url: {} } : { form: {} } };
}

/** An `elicitation` without members means forms (MCP 2025-11-25, elicitation, capabilities). */
function covers(declared: JsonObject, needed: JsonObject): boolean {
  return Object.entries(needed).every(([name, modes]) => {
    const held = declared[name];
    if (!isJsonObject(held)) return false;
    const wanted = Object.keys(objectOf(modes));
    if (name === 'elicitation' && wanted[0] === 'form') return 'form' in held || !('url' in held);
    return wanted.every((mode) => isJsonObject(held[mode]));
  });
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
