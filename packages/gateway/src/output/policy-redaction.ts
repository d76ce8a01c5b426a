import type { Answer, Cleaned, JsonText, Obligation, OutputFilter, Permit } from '@sallyport/core';
import { type PointerPath, pointerPath, rewriteAt } from './pointers.ts';

/** What stands where a string was; whatever else was taken leaves `null`. */
const takenMark = '[redacted]';

/** Places of which a policy says that they do not leave. */
interface Place {
  readonly policy: string;
  readonly path: PointerPath;
}

/** Tools of which is remembered what policies take from their answers. */
const mostTools = 10_000;
/** Shorter texts are words that stand anywhere. */
const shortestQuoted = 4;

/**
 * The output filter of the obligation `redact`: JSON pointers into the result. What is taken from `structuredContent` is taken
 * from text content as well, where that is JSON with the same place in it, or quotes what was there. Counted under the policy.
 *
 * News of a task tell what came of it and have no permit: there everything is taken that a policy ever wanted taken from its
 * tool, whoever called it.
 */
export function createPolicyRedaction(): OutputFilter {
  const wanted = new Map<string, readonly Place[]>();
  return {
    filter(permit, answer) {
      const places = placesOf(permit.obligations);
      if (places.length === 0) return answer;
      remember(wanted, permit.target.name, places);
      return answer.shape === 'error' ? answer : redactAnswer(permit, answer, places);
    },
    notification(target, text) {
      const places = wanted.get(target.name);
      // Messages of a call that runs have no result in them.
      if (places === undefined || !text.includes('"result"')) return { text };
      return redact(text, places, ofTask);
    },
  };
}

/**
 * The same for news of tasks of tools that were not answered yet since the start: what policies in force may want taken from a
 * tool is taken, whoever calls it.
 *
 * @param wantedOf obligations that some policy may ask for of this tool; asked for each of its news that has a result in it.
 */
export function createNewsRedaction(wantedOf: (tool: string) => readonly Obligation[]): OutputFilter {
  return {
    filter: (_permit, answer) => answer,
    notification(target, text) {
      const places = text.includes('"result"') ? placesOf(wantedOf(target.name)) : [];
      return places.length === 0 ? { text } : redact(text, places, ofTask);
    },
  };
}

function placesOf(obligations: readonly Obligation[]): readonly Place[] {
  return obligations.flatMap((one) =>
    one.kind === 'redact' ? one.pointers.map((pointer) => ({ policy: one.policy, path: pointerPath(pointer) })) : [],
  );
}

function remember(wanted: Map<string, readonly Place[]>, tool: string, places: readonly Place[]): void {
  const known = wanted.get(tool) ?? [];
  const keys = new Set(known.map(keyOf));
  const fresh = places.filter((place) => !keys.has(keyOf(place)));
  if (fresh.length > 0) wanted.set(tool, [...known, ...fresh]);
  const [oldest] = wanted.keys();
  if (wanted.size > mostTools && oldest !== undefined) wanted.delete(oldest);
}

function keyOf({ policy, path }: Place): string {
  return JSON.stringify([policy, path]);
}

/** Where the result of a tool is in a text: what came of a task stands in a member of its own. */
const ofTask: PointerPath = ['result'];

function redactAnswer({ method }: Permit, answer: Answer, places: readonly Place[]): Answer {
  const { text, redacted } = redact(answer.text, places, method === 'tasks/get' ? ofTask : []);
  return redacted === undefined ? answer : { ...answer, text, redacted: { ...answer.redacted, ...redacted } };
}

function redact(text: JsonText, places: readonly Place[], within: PointerPath): Cleaned {
  const counts = new Map<string, number>();
  const strings: string[] = [];
  const take = (from: string, taken: readonly Place[]): string => {
    const policies = new Map(taken.map(({ policy, path }) => [path, policy]));
    return rewriteAt(from, [...policies.keys()], (value, path) => {
      const was: unknown = JSON.parse(value);
      if (was === null || was === takenMark) return undefined;
      const policy = policies.get(path) ?? 'redact';
      counts.set(policy, (counts.get(policy) ?? 0) + 1);
      if (typeof was !== 'string') return 'null';
      strings.push(was);
      return JSON.stringify(takenMark);
    });
  };
  const result = take(
    text,
    places.map(({ policy, path }) => ({ policy, path: [...within, ...path] })),
  );
  // What is structured is often there a second time, as text for models.
  const again = places.flatMap(({ policy, path: [head, ...path] }) =>
    head === 'structuredContent' || head === '*' ? [{ policy, path }] : [],
  );
  const cleaned = rewriteAt(result, [[...within, 'content', '*', 'text']], (literal) => {
    const was: unknown = JSON.parse(literal);
    if (typeof was !== 'string') return undefined;
    const is = withoutQuoted(isJson(was) ? take(was, again) : was, strings);
    return is === was ? undefined : JSON.stringify(is);
  });
  return { text: cleaned as JsonText, ...(counts.size > 0 && { redacted: Object.fromEntries(counts) }) };
}

function withoutQuoted(text: string, strings: readonly string[]): string {
  let out = text;
  for (const one of strings) if (one.length >= shortestQuoted) out = out.replaceAll(one, takenMark);
  return out;
}

function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
