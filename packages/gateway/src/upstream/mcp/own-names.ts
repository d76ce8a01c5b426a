import type { JsonText } from '@sallyport/core';
import { membersOf, removeMembers, spliceMembers } from '@sallyport/protocol';

/** What the gateway says under its own prefix in `_meta` must be the gateway's: whoever reads it there believes it. */
const ownPrefix = 'dev.sallyport/';

/** Most texts have none of it, and searching is much faster than scanning. Two escapes may hide one. */
const mayHaveOwn = /dev\.sallyport\/|\\[u/]/;

/** An object of a server's that has a `_meta`, without what only the gateway may say there. Every other byte stays. */
export function withoutOwnNames<Text extends string>(text: Text): Text | JsonText {
  if (!mayHaveOwn.test(text)) return text;
  const member = membersOf(text).findLast(({ key }) => key === '_meta');
  if (member === undefined) return text;
  const meta = text.slice(member.start, member.end);
  const kept = removeMembers(meta, (key) => key.startsWith(ownPrefix));
  return kept === meta ? text : (spliceMembers(text, { _meta: kept }) as JsonText);
}
