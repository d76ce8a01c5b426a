import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, configPath } from '../context.ts';
import { CliError } from '../exit.ts';
import type { CheckPlace } from './finding.ts';

const tool = z.looseObject({
  name: z.string(),
  scopes: z.array(z.string()),
  sideEffect: z.enum(['read', 'write', 'destructive']),
  classification: z.enum(['public', 'internal', 'confidential', 'restricted']),
  risk: z.string(),
  internal: z.boolean(),
  owner: z.string(),
  definitionHash: z.string(),
  undeclared: z.array(z.string()).default([]),
  inputSchema: z.record(z.string(), z.unknown()),
});

const snapshot = z.looseObject({
  services: z.array(z.looseObject({ name: z.string(), version: z.string(), tools: z.array(tool) })),
});

/** A tool as the gateway knew it. */
export type KnownTool = z.output<typeof tool> & {
  readonly service: string;
  /** Where a snapshot says so. */
  readonly place?: CheckPlace;
};

/** All tools that policies may be about, and where that is from. */
export interface Snapshot {
  readonly tools: readonly KnownTool[];
  readonly from: string;
}

/** What a snapshot beside the configuration is called: what `sallyport check --save-tools` writes. */
export const snapshotName = 'sallyport.tools.json';

/**
 * The tools that policies are checked against: of the file that is named, else of the snapshot beside the configuration, else of
 * the gateway that runs. `undefined`: there is none of these.
 *
 * @throws CliError when a file is not a snapshot.
 */
export async function findTools(
  options: AdminOptions & { readonly tools?: string },
  context: Context,
): Promise<Snapshot | undefined> {
  const beside = join(dirname(configPath(context, options.config)), snapshotName);
  const file = options.tools === undefined ? beside : resolve(context.cwd, options.tools);
  if (options.tools !== undefined || existsSync(file)) return { tools: readSnapshot(file), from: file };
  try {
    return { tools: toolsOf(await administer(options, context, 'catalog.show')), from: 'the running gateway' };
  } catch (error) {
    if (error instanceof CliError && error.kind === 'unavailable') return undefined;
    throw error;
  }
}

function readSnapshot(file: string): readonly KnownTool[] {
  try {
    const text = readFileSync(file, 'utf8');
    return toolsOf(JSON.parse(text)).map((one) => ({ ...one, place: placeOf(one.name, { file, text }) }));
  } catch (cause) {
    throw new CliError('usage', `${file} is no snapshot of tools.`, {
      hint: 'With the gateway running, `sallyport check --save-tools` writes one.',
      cause,
    });
  }
}

function placeOf(name: string, { file, text }: { readonly file: string; readonly text: string }): CheckPlace {
  const before = text.slice(0, Math.max(0, text.indexOf(`"name": ${JSON.stringify(name)}`))).split('\n');
  return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function toolsOf(value: unknown): readonly KnownTool[] {
  return snapshot.parse(value).services.flatMap(({ name, tools }) => tools.map((one) => ({ ...one, service: name })));
}
