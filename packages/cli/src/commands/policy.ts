import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { JsonObject } from '@sallyport/protocol';
import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { parseTime } from '../duration.ts';
import { CliError } from '../exit.ts';
import { printable, printableJson, printableLine } from '../terminal/style.ts';
import { table } from '../terminal/table.ts';
import { sourceAt } from './policy-files.ts';

/** Options of commands that look at recorded calls. */
export interface SpanOptions extends AdminOptions {
  readonly since?: string;
  readonly until?: string;
}

interface Listed {
  readonly id: string;
  readonly effect: string;
  readonly mode: string;
  readonly place?: string;
}

/** `policy list` */
export async function listPolicies(options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'policies.list');
  if (options.json) return printJson(context, answer);
  const { revision, policies, problems } = answer as unknown as {
    readonly revision: string;
    readonly policies: readonly Listed[];
    readonly problems: readonly string[];
  };
  if (policies.length === 0) return say(context, 'There are no policies: scopes decide.');
  const rows = policies.map(({ id, effect, mode, place = '' }) => [id, effect, mode, place].map(printableLine));
  print(context, table(['id', 'effect', 'mode', 'written at'], rows, context.style.dim));
  say(context, context.errorStyle.dim(`revision ${revision.slice(0, 12)}`));
  for (const problem of problems)
    say(context, context.errorStyle.red(`refuses, since it cannot be said: ${printableLine(problem)}`));
}

interface Change {
  readonly revision: string;
  readonly kind: string;
  readonly by: string;
  readonly at: string;
  readonly reason?: string;
  readonly isRetired: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** `policy revisions` */
export async function listRevisions(options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'policies.revisions');
  if (options.json) return printJson(context, answer);
  const { current, revisions } = answer as unknown as {
    readonly current: string;
    readonly revisions: readonly Change[];
  };
  if (revisions.length === 0) return say(context, 'Nothing was ever in force.');
  const marks = (change: Change) => [
    ...change.added.map((name) => `+${name}`),
    ...change.removed.map((name) => `-${name}`),
    ...change.changed.map((name) => `~${name}`),
  ];
  const rows = revisions.map((change, index) => [
    change.revision.slice(0, 12),
    index === 0 && change.revision === current ? 'in force' : change.isRetired ? 'taken out' : '',
    change.at.slice(0, 19).replace('T', ' '),
    change.kind,
    printableLine(change.by),
    printableLine([...marks(change), ...(change.reason === undefined ? [] : [`“${change.reason}”`])].join(' ')),
  ]);
  print(context, table(['revision', '', 'since', 'how', 'by', 'what'], rows, context.style.dim));
}

/** `policy rollback` */
export async function rollback(
  revision: string,
  options: AdminOptions & { readonly reason?: string },
  context: Context,
): Promise<void> {
  const { reason } = options;
  const answer = await administer(options, context, 'policies.rollback', {
    revision,
    ...(reason !== undefined && { reason }),
  });
  if (options.json) return printJson(context, answer);
  const id = String(answer.revision).slice(0, 12);
  if (answer.changed !== true) return print(context, `${id} is in force already.`);
  print(context, `${id} is in force, from the next call on.`);
  say(context, 'The files are not taken in again until they say something else.');
}

/** `policy explain` */
export async function explain(call: string, options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'policies.explain', { call });
  if (options.json) return printJson(context, answer);
  const { style } = context;
  const {
    policies = [],
    attributes = {},
    ...facts
  } = answer as {
    readonly policies?: readonly { readonly id: string; readonly text: string; readonly place?: string }[];
    readonly attributes?: JsonObject;
  };
  const lines = [
    ...Object.entries(facts).map(([name, value]) => [name, shown(value)]),
    ...Object.entries(attributes).map(([name, value]) => [name, shown(value)]),
  ];
  print(
    context,
    table(
      ['', ''],
      lines.map((line) => line.map((cell) => printableLine(String(cell)))),
      style.dim,
    ).trimStart(),
  );
  for (const { id, text, place } of policies) {
    print(context, `\n${style.bold(printableLine(id))} ${style.dim(printableLine(place ?? ''))}\n${printable(text)}`);
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(', ');
  return typeof value === 'string' ? value : printableJson(value);
}

interface Replayed {
  readonly looked: number;
  readonly same: number;
  readonly allowed: number;
  readonly denied: number;
  readonly notRedecidable: Readonly<Record<string, number>>;
  readonly by: readonly {
    readonly tool: string;
    readonly subject: string;
    readonly allowed: number;
    readonly denied: number;
  }[];
  readonly calls: readonly {
    readonly call: string;
    readonly at: string;
    readonly tool: string;
    readonly subject: string;
    readonly was: string;
    readonly now: string;
    readonly policies: readonly string[];
  }[];
  readonly isCut: boolean;
}

const why: Readonly<Record<string, string>> = {
  erased: 'what they asked for was erased',
  external: 'a decision point outside had a say',
  'unknown-definition': 'nobody knows how the tool was defined then',
};

/** `policy replay` */
export async function replay(options: SpanOptions & { readonly against?: string }, context: Context): Promise<void> {
  const against = await againstOf(options.against, context);
  const answer = await administer(options, context, 'policies.replay', { ...spanOf(options), ...against });
  if (options.json) return printJson(context, answer);
  const { looked, same, allowed, denied, notRedecidable, by, calls, isCut } = answer as unknown as Replayed;
  const { style } = context;
  print(
    context,
    `${looked} calls: ${same} decided the same, ${style.yellow(`${allowed} that were denied would be allowed`)}, ${style.red(`${denied} that were allowed would be denied`)}`,
  );
  for (const [reason, count] of Object.entries(notRedecidable))
    print(context, style.dim(`${count} cannot be decided again: ${why[reason] ?? reason}`));
  if (by.length > 0) {
    const rows = by.map((one) => [
      printableLine(one.tool),
      printableLine(one.subject),
      String(one.allowed),
      String(one.denied),
    ]);
    print(context, `\n${table(['tool', 'caller', 'would be allowed', 'would be denied'], rows, style.dim)}`);
    const lines = calls.map((one) => [
      one.at.slice(0, 19).replace('T', ' '),
      printableLine(one.tool),
      printableLine(one.subject),
      `${one.was} → ${one.now}`,
      printableLine(one.policies.join(' ')),
      one.call,
    ]);
    print(context, `\n${table(['time', 'tool', 'caller', 'decision', 'policies', 'call'], lines, style.dim)}`);
  }
  if (isCut) say(context, 'There were more: name a shorter time with --since and --until.');
}

/** A folder or a file of policies, a revision, or nothing. */
async function againstOf(against: string | undefined, context: Context): Promise<JsonObject> {
  if (against === undefined) return {};
  const path = resolve(context.cwd, against);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    if (/^[0-9a-f]{6,64}$/.test(against)) return { revision: against };
    throw new CliError('usage', `${against} is no file, no folder and no revision.`);
  }
  const { files } = await sourceAt(path);
  return { files: files.map(({ name, text }) => ({ name, text })) };
}

function spanOf({ since, until }: SpanOptions): JsonObject {
  return {
    ...(since !== undefined && { sinceMs: parseTime(since, Date.now()) }),
    ...(until !== undefined && { untilMs: parseTime(until, Date.now()) }),
  };
}

/** `policy shadow` */
export async function shadow(options: SpanOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'policies.shadow', spanOf(options));
  if (options.json) return printJson(context, answer);
  const { looked, changes } = answer as unknown as {
    readonly looked: number;
    readonly changes: readonly {
      readonly policy: string;
      readonly tool: string;
      readonly subject: string;
      readonly effect: string;
      readonly calls: number;
    }[];
  };
  if (changes.length === 0) return say(context, `Of ${looked} calls none would have been decided differently.`);
  const rows = changes.map(({ policy, tool, subject, effect, calls }) => [
    ...[policy, tool, subject].map(printableLine),
    effect === 'deny' ? 'refuse' : 'permit, or ask for more',
    String(calls),
  ]);
  print(context, table(['policy', 'tool', 'caller', 'would', 'calls'], rows, context.style.dim));
  say(context, context.errorStyle.dim(`of ${looked} calls`));
}
