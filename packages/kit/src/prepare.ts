import { randomUUID } from 'node:crypto';
import type { ServiceManifest } from '@sallyport/protocol';
import type { ContextShared } from './call-context.ts';
import { capabilitiesOf } from './capabilities.ts';
import type { GuardRules } from './guards/guard.ts';
import { createNewsDesk, type NewsDesk } from './news.ts';
import type { DraftTable } from './offers/drafts.ts';
import type { ReadyOffers } from './offers/ready.ts';
import { createRunner, type Runner } from './runner.ts';
import type { Guard } from './running-call.ts';
import { isToolCall, type ReadyTable, type ToolTable } from './tool-table.ts';

/** A service whose definitions are checked and complete. */
export interface Prepared {
  /** The name of this instance, which nobody else has. */
  readonly instance: string;
  readonly table: ReadyTable;
  readonly runner: Runner;
  readonly news: NewsDesk;
  /** Makes known that a resource has changed. */
  updated(uri: string): void;
}

/** What is made ready. */
export interface PrepareOptions extends ContextShared {
  readonly tools: ToolTable;
  readonly drafts: DraftTable;
  readonly concurrency: number;
  readonly guard?: Guard | undefined;
  readonly rules: GuardRules;
  readonly tasks: { readonly limit?: number; readonly ttlMs?: number };
}

const defaultTasks = { limit: 1_000, ttlMs: 60 * 60_000 };

/** Checks all that was said of a service. Throws with the name of a definition that is not complete or not right. */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { service, log, nowMs, concurrency, guard } = options;
  const shared = { service, log, nowMs };
  const instance = randomUUID();
  const news = createNewsDesk();
  const drafts = options.drafts.close();
  const tools = await options.tools.ready();
  // Imported only by services that have them.
  const offers = drafts && (await import('./offers/ready.ts')).readyOffers(drafts, options.rules);
  const table = join(tools, offers);
  const hasTasks = tools.manifest.tools.some(({ task }) => task !== undefined);
  const { limit, ttlMs } = { ...defaultTasks, ...options.tasks };
  const tasks =
    hasTasks && limit > 0
      ? (await import('./tasks/tasks.ts')).createTasks({
          ...{ ...shared, instance, maxTasks: limit, ttlMs },
          onChange: (taskText) => news.tell({ kind: 'task', taskText }),
        })
      : undefined;
  return {
    ...{ instance, table, news },
    runner: createRunner({ ...shared, instance, table, tasks, concurrency, guard }),
    updated(uri) {
      if (offers?.canSubscribe(uri) === true) news.tell({ kind: 'updated', uri });
      else log.warn({ uri }, 'an update of something that nobody can subscribe to: set `subscribe`');
    },
  };
}

function join(tools: ReadyTable, offers: ReadyOffers | undefined): ReadyTable {
  const { manifest, find } = tools;
  const capabilities = capabilitiesOf(manifest, offers);
  if (capabilities === undefined) return tools;
  const whole: ServiceManifest = {
    ...manifest,
    ...(offers && offers.prompts.length > 0 && { prompts: offers.prompts }),
    ...(offers && offers.resources.length > 0 && { resources: offers.resources }),
    ...(offers && offers.templates.length > 0 && { templates: offers.templates }),
    mcp: { capabilities },
  };
  if (offers === undefined) return { manifest: whole, find };
  return { manifest: whole, find: (incoming) => (isToolCall(incoming) ? find(incoming) : offers.find(incoming)) };
}
