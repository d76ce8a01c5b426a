import { noAnswer, type Seen } from './driver.ts';
import { nextCursorOf } from './read-answer.ts';

/** One page of a list as it came, and what it says. */
export interface Page {
  readonly text: string;
  readonly seen: Seen;
}

const maxPages = 1_000;

/** Reads a list to its end. What comes in place of a page ends it. */
export async function listPages(page: (cursor: string | undefined) => Promise<Page | Seen>): Promise<Seen> {
  const names: string[] = [];
  let cursor: string | undefined;
  for (let turn = 0; turn < maxPages; turn++) {
    const answer = await page(cursor);
    if (!('seen' in answer)) return answer;
    const { seen, text } = answer;
    if (!Array.isArray(seen.result)) return seen;
    names.push(...seen.result.map(String));
    cursor = nextCursorOf(text);
    if (cursor === undefined) return { ...seen, result: names };
  }
  return noAnswer('a list without an end');
}

/** The cursor of the page to come as a member of `params`, as text. */
export function cursorMember(cursor: string | undefined): readonly string[] {
  return cursor === undefined ? [] : [`"cursor":${JSON.stringify(cursor)}`];
}
