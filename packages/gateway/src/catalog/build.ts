import { createHash } from 'node:crypto';
import type { Catalog, ListKind, Prompt, Registration, ServiceStatus, Target, Tool } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import { createResourceFinder } from './resources.ts';
import { methodsOf, promptsOf, type Rules, resourcesOf, templatesOf, toolsOf } from './targets.ts';

/** A tool, or something else, that could not be offered, and why; for the operator. */
export interface Problem {
  readonly tool: string;
  readonly message: string;
}

interface Sources extends Rules {
  readonly registrations: readonly Registration[];
  /** Services that were never seen. Default: none. */
  readonly absent?: readonly string[];
  /** Services that are away, as they were last. Default: none. */
  readonly gone?: readonly ServiceManifest[];
  readonly stale: boolean;
}

/**
 * Builds the catalog from what is registered. Sorted by name, so that equal catalogs list equally. Of two that would answer
 * to one name or alias, the one whose service registered first is offered and the other is a problem.
 */
export function buildCatalog(sources: Sources): { readonly catalog: Catalog; readonly problems: readonly Problem[] } {
  const { registrations, overrideFor } = sources;
  const byName = new Map<string, Target>();
  const promptsByAlias = new Map<string, Prompt>();
  const problems: Problem[] = [];
  const offer = <One extends Target>(targets: readonly One[], aliases: Map<string, Target>): readonly One[] => {
    const offered = targets.filter((target) => {
      const names = 'alias' in target ? [target.name, target.alias] : [target.name];
      const taken = byName.get(target.name) ?? names.map((name) => aliases.get(name)).find((other) => other);
      if (taken !== undefined) {
        problems.push({ tool: target.name, message: `its name or alias is taken by ${taken.name}` });
        return false;
      }
      byName.set(target.name, target);
      if ('alias' in target) aliases.set(target.alias, target);
      return true;
    });
    return offered.sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  const all = <One extends Target>(of: (manifest: ServiceManifest, rules: Rules) => readonly One[]): readonly One[] =>
    registrations.flatMap(({ manifest }) => of(manifest, { overrideFor, methodsOf: sources.methodsOf }));

  const tools = offer(all(toolsOf), byName);
  const prompts = offer(all(promptsOf), promptsByAlias as Map<string, Target>);
  const resources = offer(all(resourcesOf), byName);
  const templates = offer(all(templatesOf), byName);
  const methods = offer(all(methodsOf), byName);
  const catalog: Catalog = {
    revision: revisionOf([...tools, ...prompts, ...resources, ...templates, ...methods]),
    parts: partsOf(registrations, { tools, prompts, resources: [...resources, ...templates] }),
    ...{ tools, prompts, resources, templates, methods, byName, promptsByAlias },
    resourceAt: createResourceFinder({ registrations, byName, templates, overrideFor }),
    services: registrations.map(toStatus),
    absent: absentIn(sources),
    stale: sources.stale,
  };
  return { catalog, problems };
}

/** Something to decide by whether a caller may know of a service that is not there. */
function absentIn({ absent = [], gone = [], overrideFor }: Sources): readonly Tool[] {
  const known = gone.map((manifest) => (manifest.tools.length > 0 ? manifest : unseen(manifest.service)));
  return [...absent.map(unseen), ...known].flatMap((manifest) => toolsOf(manifest, { overrideFor }));
}

/** A service of which nothing is known. Rules for all of it hold for what it may have, too. */
function unseen(service: string): ServiceManifest {
  return { service, version: '0.0.0', tools: [{ name: '', description: '', inputSchema: { type: 'object' } }] };
}

function toStatus({ manifest, instances, keptOut = 0, state }: Registration): ServiceStatus {
  const { mcp } = manifest;
  return {
    name: manifest.service,
    version: manifest.version,
    owner: manifest.owner ?? 'unknown',
    instances,
    keptOut,
    state,
    ...(mcp && { mcp }),
  };
}

/** Everything about a target that a caller or a policy can notice. */
function identity({ name, version, definitionHash, scopes, internal, ...rest }: Target): string {
  const { auditRequired, timeoutMs, mayReturn } = rest;
  return JSON.stringify([name, version, definitionHash, scopes, internal, auditRequired, timeoutMs, mayReturn]);
}

function partsOf(
  registrations: readonly Registration[],
  lists: Readonly<Record<ListKind, readonly Target[]>>,
): Catalog['parts'] {
  const byService = (kind: ListKind) => Map.groupBy(lists[kind], ({ service }) => service);
  const grouped = { tools: byService('tools'), prompts: byService('prompts'), resources: byService('resources') };
  return new Map(
    registrations.map(({ manifest: { service }, editions }) => {
      const part = (kind: ListKind): string =>
        `${revisionOf(grouped[kind].get(service) ?? [])} ${editions?.[kind] ?? 0}`;
      return [service, { tools: part('tools'), prompts: part('prompts'), resources: part('resources') }] as const;
    }),
  );
}

function revisionOf(targets: readonly Target[]): string {
  return createHash('sha256').update(targets.map(identity).join('\n')).digest('hex');
}
