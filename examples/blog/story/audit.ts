import { z } from 'zod';

const actor: z.ZodType<Actor> = z.lazy(() => z.object({ subject: z.string(), actor: actor.optional() }));

interface Actor {
  readonly subject: string;
  readonly actor?: Actor | undefined;
}

const record = z.object({
  seq: z.int(),
  hash: z.string(),
  kind: z.literal('outcome'),
  callId: z.string(),
  traceId: z.string(),
  timeMs: z.number(),
  durationMs: z.number(),
  verb: z.string(),
  subject: z.string().optional(),
  actor: actor.optional(),
  tool: z.string().optional(),
  instance: z.string().optional(),
  outcome: z.enum(['answered', 'refused', 'suspended']),
  toolError: z.boolean().optional(),
  reason: z.string().optional(),
  stage: z.string().optional(),
});

/** A record of how a call ended, as `sallyport audit search --json` prints it. */
export type AuditRecord = z.infer<typeof record>;

/** A call and the calls it caused. */
export interface Span {
  readonly record: AuditRecord;
  readonly children: readonly Span[];
}

/** Reads what `audit search --json` printed: outcomes of tool calls, oldest first. */
export function readRecords(text: string): readonly AuditRecord[] {
  const { records } = z
    .object({ records: z.array(z.looseObject({ kind: z.string(), verb: z.string().optional() })) })
    .parse(JSON.parse(text));
  return records
    .filter(({ kind, verb }) => kind === 'outcome' && verb === 'invoke')
    .map((each) => record.parse(each))
    .sort((a, b) => a.timeMs - b.timeMs || a.seq - b.seq);
}

/** Who acts for the subject, nearest first. */
export function actorsOf({ actor: first }: AuditRecord): readonly string[] {
  const chain: string[] = [];
  for (let next = first; next !== undefined; next = next.actor) chain.push(next.subject);
  return chain;
}

/**
 * Joins records into trees: within one trace, a call made by a service belongs under the call which that service was
 * serving, whose chain of actors is its own without the service.
 */
export function spanTrees(records: readonly AuditRecord[]): readonly Span[] {
  const grow = (parent: AuditRecord): Span => {
    const isChild = (each: AuditRecord) => {
      const [service, ...rest] = actorsOf(each);
      return (
        each.traceId === parent.traceId &&
        service === `service:${parent.tool?.split('.')[0]}` &&
        rest.join() === actorsOf(parent).join()
      );
    };
    return { record: parent, children: records.filter(isChild).map(grow) };
  };
  return records.filter((each) => actorsOf(each).length === 0).map(grow);
}
