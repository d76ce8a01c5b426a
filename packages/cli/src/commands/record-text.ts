import type { FoundRow } from '@sallyport/gateway';
import type { Style } from '../terminal/style.ts';

/** The record of one call. */
export type CallRecord = Exclude<FoundRow['record'], { readonly kind: 'refusals' }>;

/** How a call ended. */
export function outcomeText({ outcome, reason, toolError }: CallRecord, style: Style): string {
  if (outcome === 'refused') return style.red(`refused ${reason ?? ''}`);
  if (outcome === 'answered') return toolError ? style.yellow('answered (tool error)') : style.green('answered');
  return style.yellow(outcome);
}

/** Who called, and through whom. */
export function whoText({ subject, actor, origin }: CallRecord): string {
  const chain: string[] = [];
  for (let next = actor; next !== undefined; next = next.actor) chain.push(next.subject);
  if (subject === undefined) return `? (${origin.peer})`;
  return chain.length === 0 ? subject : `${subject} via ${chain.join(' via ')}`;
}
