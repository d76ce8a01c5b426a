import type { Classification } from '@sallyport/protocol';
import type { Retained } from './row.ts';

/** How long what is kept, in milliseconds. Absent: for ever. */
export interface KeepingTimes {
  /** Arguments and access requests: then the keys of the day are destroyed. */
  readonly sealedMs?: number;
  /** Records: then the rows lose everything but their hashes. */
  readonly recordsMs?: number;
}

/** The same for everything, and for targets of some classifications in place of it, time by time. */
export interface RetentionRules extends KeepingTimes {
  readonly classes?: Readonly<Partial<Record<Classification, KeepingTimes>>>;
}

/** Keys that are due: of days (UTC, `YYYY-MM-DD`) before one, of what is kept apart as this classification or, without one, of the rest. */
export interface DueKeys {
  readonly keptAs: Classification | undefined;
  readonly before: string;
}

const classifications: readonly Classification[] = ['public', 'internal', 'confidential', 'restricted'];

/** Whether what is sealed of this classification has keys of its own: it is to live longer or shorter than the rest. */
export function keptAsOf({ classes }: RetentionRules, classification: string | null): Classification | undefined {
  const known = classifications.find((each) => each === classification);
  return known !== undefined && classes?.[known]?.sealedMs !== undefined ? known : undefined;
}

/** Which keys are due. What was kept apart once, and is not any more, is kept as long as the rest. */
export function dueKeys({ sealedMs, classes }: RetentionRules, nowMs: number): readonly DueKeys[] {
  return [undefined, ...classifications].flatMap((keptAs) => {
    const keptMs = (keptAs && classes?.[keptAs]?.sealedMs) ?? sealedMs;
    return keptMs === undefined ? [] : [{ keptAs, before: dayText(nowMs - keptMs) }];
  });
}

/** The time before which a record of this classification may end; `undefined`: never. */
export function recordsEndBefore(
  { recordsMs, classes }: RetentionRules,
  nowMs: number,
): (classification: string | null) => number {
  return (classification) => {
    const known = classifications.find((each) => each === classification);
    const keptMs = (known && classes?.[known]?.recordsMs) ?? recordsMs;
    return keptMs === undefined ? Number.NEGATIVE_INFINITY : Date.parse(dayText(nowMs - keptMs));
  };
}

/** Whether records end at all. */
export function endsRecords({ recordsMs, classes = {} }: RetentionRules): boolean {
  return recordsMs !== undefined || Object.values(classes).some((times) => times.recordsMs !== undefined);
}

/** What goes on record. */
export function retainedAs(through: number, due: readonly (DueKeys & { readonly keys: number })[]): Retained {
  const rest = due.find(({ keptAs }) => keptAs === undefined);
  const apart = due.flatMap(({ keptAs, before }) => (keptAs === undefined ? [] : [[keptAs, before] as const]));
  return {
    through,
    keys: due.reduce((sum, { keys }) => sum + keys, 0),
    ...(rest && { sealedBefore: rest.before }),
    ...(apart.length > 0 && { classes: Object.fromEntries(apart) }),
  };
}

/** The condition on the column `tenant` for keys that are kept apart as this, or for the rest. As `tenantOf` writes it. */
export function keptAsCondition(keptAs: Classification | undefined): string {
  return keptAs === undefined ? "tenant NOT LIKE '[%'" : `tenant LIKE '[%,"${keptAs}"]'`;
}

/** Everything that the column `tenant` can hold for one tenant (`null`: for nobody's). */
export function tenantTexts(tenant: string | null): readonly string[] {
  return [JSON.stringify(tenant), ...classifications.map((keptAs) => JSON.stringify([tenant, keptAs]))];
}

function dayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
