import { type Member, membersOf } from './strict-json.ts';

/** Members to put into an object: name → JSON text of the value. */
export type Insertions = Readonly<Record<string, string>>;

/**
 * Puts members into a JSON object's text and leaves every other byte as it was, so that numbers, unknown members and white
 * space survive. A member that exists already is replaced.
 */
export function spliceMembers(text: string, insertions: Insertions): string {
  const existing = mayContain(text, insertions) ? membersOf(text) : [];
  let spliced = text;
  // From the end, so that the offsets before stay right.
  for (const { key, start, end } of existing.toReversed()) {
    const value = Object.hasOwn(insertions, key) ? insertions[key] : undefined;
    if (value !== undefined) spliced = spliced.slice(0, start) + value + spliced.slice(end);
  }
  const added = Object.entries(insertions).filter(([key]) => !existing.some((member) => member.key === key));
  if (added.length === 0) return spliced;
  const addedText = added.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',');
  const open = spliced.indexOf('{') + 1;
  const isEmpty = /^\s*\}/.test(spliced.slice(open, open + 32)) || spliced.slice(open).trim() === '}';
  return `${spliced.slice(0, open)}${addedText}${isEmpty ? '' : ','}${spliced.slice(open)}`;
}

/** Takes members out of a JSON object's text and leaves every other byte as it was. What is no object stays as it is. */
export function removeMembers(text: string, isRemoved: (key: string) => boolean): string {
  const members = membersOf(text);
  const [first] = members;
  const last = members.at(-1);
  const lastKept = members.findLast(({ key }) => !isRemoved(key));
  if (first === undefined || last === undefined || members.every(({ key }) => !isRemoved(key))) return text;
  let kept = text.slice(0, first.keyStart);
  for (const [index, member] of members.entries()) {
    if (isRemoved(member.key)) continue;
    // With what separates it from the next, unless all after it go.
    const end = member === lastKept ? member.end : (members[index + 1]?.keyStart ?? member.end);
    kept += text.slice(member.keyStart, end);
  }
  return kept + text.slice(last.end);
}

/** What to add to a result on its way to the client. */
export interface ResultAdditions {
  /** Members of the result that are added only where they are absent: what the service says comes first. */
  readonly defaults: Insertions;
  /** Members of the result's `_meta`; they replace those of the same name, all others are kept. */
  readonly meta: Insertions;
}

/** Adds to the text of a result object, merging into a `_meta` that is there already. */
export function addToResult(text: string, { defaults, meta }: ResultAdditions): string {
  const existing = mayContain(text, { ...defaults, _meta: '' }) ? membersOf(text) : [];
  const absent = Object.entries(defaults).filter(([key]) => !existing.some((member) => member.key === key));
  return spliceMembers(text, { ...Object.fromEntries(absent), _meta: mergedMeta(text, existing, meta) });
}

function mergedMeta(text: string, existing: readonly Member[], meta: Insertions): string {
  const member = existing.findLast(({ key }) => key === '_meta');
  const before = member === undefined ? '{}' : text.slice(member.start, member.end);
  return spliceMembers(before.startsWith('{') ? before : '{}', meta);
}

/** Few results have any of the members we add, and searching is much faster than scanning. Two escapes may hide one. */
function mayContain(text: string, insertions: Insertions): boolean {
  return (
    text.includes('\\u') || text.includes('\\/') || Object.keys(insertions).some((key) => text.includes(`"${key}"`))
  );
}
