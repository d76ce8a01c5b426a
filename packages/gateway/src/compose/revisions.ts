import { userInfo } from 'node:os';
import type { Catalog, Revisions } from '@sallyport/core';
import type { Logger } from 'pino';
import { createPolicyDesk, type PolicyDesk } from '../admin/index.ts';
import type { CedarEngine } from '../authorization/cedar.ts';
import type { GatewayConfig } from '../config/index.ts';
import { fromRevision, type PolicySet, toRevision } from '../policy/revision.ts';
import type { ToolDefinitions } from '../store/index.ts';
import type { Lifetime } from './lifetime.ts';
import type { Policies } from './policies.ts';
import type { Stores } from './stores.ts';

/** Keeps what is in force and what the store says of it the same. */
export interface RevisionKeeper {
  /**
   * Takes in what a configuration says. A set of policies that somebody went back from is not taken in again: what is in
   * force stays. Everything that can fail has failed when this returns; what it returns puts it in force.
   */
  prepare(set: LoadedPolicies): () => void;
}

/** Policies as a configuration has them. */
export type LoadedPolicies = Pick<GatewayConfig['policy'], 'source' | 'settings' | 'isNamed'>;

/** What keeping revisions leans on. */
export interface RevisionKeeperParts {
  readonly engine: CedarEngine;
  /** What the configuration says at the start. */
  readonly first: LoadedPolicies;
  readonly revisions: Revisions;
  readonly definitions: ToolDefinitions;
  readonly catalog: { current(): Catalog; onChange(listener: () => void): () => void };
  /** Who loads: the user of the operating system. */
  readonly by: string;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
}

/** What another process put in force is taken over after this long. */
const lookMs = 1_000;

/**
 * Writes down what is in force, and follows what other processes with the same store put in force.
 *
 * @throws Error when the store fails, or what is in force cannot be read.
 */
export async function keepRevisions(parts: RevisionKeeperParts): Promise<RevisionKeeper> {
  const { engine, log } = parts;
  const book = openBook(parts);
  const set = engine.current();
  const before = await parts.revisions.current();
  const inForce = before === undefined ? undefined : await parts.revisions.find(before);
  refuseLost(parts.first, inForce?.files.length ?? 0);
  await book.adopt(toRevision(set).id, await book.load(set));
  await book.learn();
  rememberDefinitions(parts);
  followOthers(parts, book);
  return {
    prepare(next) {
      refuseLost(next, engine.current().source.files.length);
      const { id } = toRevision(next);
      if (book.isRetired(id)) {
        log.warn({ files: id }, 'the policies of the files are not taken in: somebody went back from them');
        return () => undefined;
      }
      const use = engine.prepare(next);
      return () => {
        use();
        book
          .load(next)
          .then((kept) => book.adopt(id, kept))
          .catch((err: unknown) => log.error({ err }, 'a revision of the policies could not be written down'));
      };
    },
  };
}

/** A folder that is not there, as in the middle of a deployment, is no wish to let everybody do everything. */
function refuseLost({ source, isNamed }: LoadedPolicies, filesBefore: number): void {
  if (isNamed || source.files.length > 0 || filesBefore === 0) return;
  throw new Error(
    'there were policies, and now there is no folder policies beside the configuration: ' +
      'bring it back, or write policy: { files: [] } to go without policies',
  );
}

/** What the store says of revisions, for this process. */
interface Book {
  /** Says what is in force then. */
  load(set: PolicySet): Promise<string>;
  /** Learns what was retired. */
  learn(): Promise<void>;
  isRetired(id: string): boolean;
  /** Whether something is being written down: until then the store says what was. */
  isWriting(): boolean;
  /** Goes by what is in force, where that is not what the files say. */
  adopt(given: string, inForce: string): Promise<void>;
  follow(id: string): Promise<void>;
}

function openBook({ engine, revisions, nowMs, by, log }: RevisionKeeperParts): Book {
  const retired = new Set<string>();
  let writing = 0;
  const follow = async (id: string): Promise<void> => {
    const found = await revisions.find(id);
    if (found === undefined) throw new Error(`the revision ${id} of the policies is gone from the store`);
    engine.prepare(await fromRevision(found))();
  };
  return {
    follow,
    async load(set) {
      writing++;
      try {
        return (await revisions.load(toRevision(set), { by, atMs: nowMs() })).revision.id;
      } finally {
        writing--;
      }
    },
    isWriting: () => writing > 0,
    async learn() {
      for (const { revision, isRetired } of await revisions.history(1_000)) {
        if (isRetired) retired.add(revision);
        else retired.delete(revision);
      }
    },
    isRetired: (id) => retired.has(id),
    async adopt(given, inForce) {
      if (given === inForce) return;
      log.warn(
        { revision: inForce, files: given },
        'the policies of the files are not in force: somebody went back from them',
      );
      await follow(inForce);
    },
  };
}

function followOthers({ engine, revisions, log, life }: RevisionKeeperParts, book: Book): void {
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking || book.isWriting()) return;
    looking = true;
    try {
      const current = await revisions.current();
      if (current === undefined || book.isWriting() || current === toRevision(engine.current()).id) return;
      await book.learn();
      await book.follow(current);
      log.info({ revision: current }, 'policies that another process put in force');
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => {
    look().catch((err: unknown) => log.error({ err }, 'policies cannot be followed'));
  }, lookMs);
  timer.unref();
  life.onClose(() => clearInterval(timer));
}

/** Decisions about arguments can be made again as long as it is known how tools took them. */
function rememberDefinitions({ catalog, definitions, nowMs, log, life }: RevisionKeeperParts): void {
  const known = new Set<string>();
  const remember = (): void => {
    const fresh = catalog
      .current()
      .tools.filter(({ name, definitionHash }) => !known.has(`${name}\0${definitionHash}`));
    if (fresh.length === 0) return;
    const rows = fresh.map(({ name, definitionHash, inputSchema }) => ({ tool: name, definitionHash, inputSchema }));
    definitions.remember(rows, nowMs()).then(
      () => rows.forEach(({ tool, definitionHash }) => void known.add(`${tool}\0${definitionHash}`)),
      (err: unknown) => log.error({ err }, 'definitions of tools could not be written down'),
    );
  };
  life.onClose(catalog.onChange(remember));
  remember();
}

interface OpenedRevisions {
  readonly keeper: RevisionKeeper;
  readonly desk: PolicyDesk;
}

/** Writes down what is in force, and opens the desk where it is looked at and changed. */
export async function openRevisions(
  stores: Stores,
  { engine, problems }: Policies,
  parts: Pick<RevisionKeeperParts, 'first' | 'catalog' | 'nowMs' | 'log' | 'life'>,
): Promise<OpenedRevisions> {
  const { revisions, definitions } = stores.state;
  const keeper = await keepRevisions({ ...parts, engine, revisions, definitions, by: userInfo().username });
  const { nowMs, log } = parts;
  const desk = createPolicyDesk({ engine, problems, revisions, definitions, audit: stores.auditReader, nowMs, log });
  return { keeper, desk };
}
