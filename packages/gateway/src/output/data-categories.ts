import type { AuditRecord, Stages } from '@sallyport/core';
import type { RedactionSettings } from './redaction.ts';
import { rules as builtIn } from './rules.ts';

/** Puts the kinds of data on record that the rules found, beside those that the target was declared to deal with. */
export function withDataCategories(record: Stages['record'], { rules }: RedactionSettings): Stages['record'] {
  const groups = new Map<string, string>([...builtIn, ...rules].map(({ id, group }) => [id, group]));
  return (entry) => record(categorised(entry, groups));
}

function categorised(entry: AuditRecord, groups: ReadonlyMap<string, string>): AuditRecord {
  if (entry.redacted === undefined) return entry;
  const found = Object.keys(entry.redacted).flatMap((rule) => groups.get(rule) ?? []);
  if (found.length === 0) return entry;
  return { ...entry, dataCategories: [...new Set([...(entry.dataCategories ?? []), ...found])] };
}
