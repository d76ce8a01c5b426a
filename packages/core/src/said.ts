import type { JsonText } from './call.ts';
import type { Cleaned } from './ports/output-filter.ts';
import type { Stages } from './stages.ts';
import type { Target } from './tool.ts';

/** The rule under which it counts in records that something was dropped because a filter failed at it. */
export const filterFailed = 'filter-failed';

/**
 * Something that a service says while it works, without what the filters take out of it. What a filter fails at, or gives
 * nothing back for, is not said at all (`text` is absent then): a filter that is broken must neither let anything through
 * nor end a call that goes well.
 */
export function cleanSaid(
  { filterNotification }: Pick<Stages, 'filterNotification'>,
  target: Target,
  text: JsonText,
): Partial<Cleaned> {
  if (filterNotification === undefined) return { text };
  try {
    const cleaned: Cleaned | undefined = filterNotification(target, text);
    if (typeof cleaned?.text === 'string') return cleaned;
  } catch {
    // Told by the record.
  }
  return { redacted: { [filterFailed]: 1 } };
}
