import { prefixNaming, serviceOfUri } from '@sallyport/protocol';
import { GatewayError } from './error.ts';
import type { Listing } from './outcome.ts';
import type { CallOf } from './stages.ts';
import type { Capability, Catalog, Endpoint, Resource, Target, View } from './tool.ts';

/** What a caller named, where. */
export interface Naming {
  readonly endpoint: Endpoint;
  readonly capability: Capability;
  readonly name: string;
}

/**
 * Finds what a caller named: by the name or alias of everything, or by its service's own name where that is mounted alone.
 *
 * @throws GatewayError `unknown_tool` and the like, the same for what does not exist and what this caller may not know of.
 */
export function findTarget(view: View, naming: Naming): Target | Promise<Target> {
  const target = lookUp(view.catalog, naming);
  if (target === undefined || target.capability !== naming.capability) throw missing(view, naming);
  if (view.has(target)) return target;
  if (target.capability !== 'resource') throw unknown(naming.capability);
  return admitted(view, target);
}

/** Nobody knows whether a service that was never seen has what is named: it may be asked for again. */
function missing({ catalog, has }: View, { endpoint, capability, name }: Naming): GatewayError {
  const service = endpoint.kind === 'mount' ? endpoint.service : serviceIn(capability, name);
  const isAway = catalog.absent.some((absent) => absent.service === service && has(absent));
  return isAway ? new GatewayError('upstream_unavailable', {}, { cause: 'never seen' }) : unknown(capability);
}

function serviceIn(capability: Capability, name: string): string | undefined {
  return capability === 'tool' ? name.slice(0, Math.max(0, name.indexOf('.'))) : split(capability, name)?.service;
}

/** What is not listed is decided on when it is asked for. */
async function admitted(view: View, target: Resource): Promise<Target> {
  if (target.listed || !(await view.admits(target))) throw unknown('resource');
  return target;
}

/** The refusal for what does not exist, and for what a caller may not know of. */
export function unknown(capability: Capability | 'task'): GatewayError {
  switch (capability) {
    case 'tool':
      return new GatewayError('unknown_tool');
    case 'prompt':
      return new GatewayError('unknown_prompt');
    case 'resource':
    case 'template':
      return new GatewayError('unknown_resource');
    case 'task':
      return new GatewayError('unknown_task');
    case 'method':
      return new GatewayError('method_unknown');
    default:
      return capability satisfies never;
  }
}

function lookUp(catalog: Catalog, { endpoint, capability, name }: Naming): Target | undefined {
  const { byName } = catalog;
  if (capability === 'tool') return byName.get(endpoint.kind === 'mount' ? `${endpoint.service}.${name}` : name);
  if (capability === 'prompt' && endpoint.kind !== 'mount' && catalog.promptsByAlias.has(name)) {
    return catalog.promptsByAlias.get(name);
  }
  const place = endpoint.kind === 'mount' ? { service: endpoint.service, remoteName: name } : split(capability, name);
  if (place === undefined) return undefined;
  const { service, remoteName } = place;
  return capability === 'resource' ? catalog.resourceAt(service, remoteName) : byName.get(nameOf(capability, place));
}

/** The name rules go by, of what a service calls by this name. */
export function nameOf(
  capability: Exclude<Capability, 'tool'>,
  { service, remoteName }: { readonly service: string; readonly remoteName: string },
): string {
  return `${service}.${capability}s/${remoteName}`;
}

/** Where everything is offered, prompts are `service.name` and URIs `service+uri`. */
function split(
  capability: Capability,
  name: string,
): { readonly service: string; readonly remoteName: string } | undefined {
  if (capability === 'prompt' || capability === 'method') {
    const at = name.indexOf('.');
    return at <= 0 ? undefined : { service: name.slice(0, at), remoteName: name.slice(at + 1) };
  }
  const service = serviceOfUri(name);
  const remoteName = service === undefined ? undefined : prefixNaming(service).uriIn(name);
  return service === undefined || remoteName === undefined ? undefined : { service, remoteName };
}

/**
 * Lists what of a view the caller is entitled to: in the catalog's order, or in its service's own where that is mounted
 * alone.
 */
export function listTargets(
  view: View,
  entitled: (target: Target) => boolean,
  { endpoint, request }: Pick<CallOf<'list'>, 'endpoint' | 'request'>,
): Listing {
  const { catalog } = view;
  const { capability, cursor, limit } = request;
  const seen = (targets: readonly Target[]) => targets.filter((target) => view.has(target) && entitled(target));
  if (capability === 'any') return summary(view, seen);
  const all = seen(listed(catalog, capability));
  const order = endpoint.kind === 'mount' ? byPosition : byName;
  const rest = order.after(all, cursor === undefined || cursor === '' ? undefined : readCursor(cursor));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const shown = (target: Target): Target => view.shown?.(target) ?? target;
  return {
    ...summaryOf(catalog, all, seen(catalog.absent)),
    targets: page.map(shown),
    etag: () => fingerprint(all, shown),
    ...(last && rest.length > page.length && { nextCursor: `after:${order.mark(last)}` }),
  };
}

/** What kinds of things a caller sees, and of whom. */
function summary(view: View, seen: (targets: readonly Target[]) => readonly Target[]): Listing {
  const { catalog } = view;
  const tools = seen(catalog.tools);
  const prompts = seen(catalog.prompts);
  const resources = seen([...catalog.resources, ...catalog.templates]);
  return {
    ...summaryOf(catalog, [...tools, ...prompts, ...resources, ...seen(catalog.methods)], seen(catalog.absent)),
    targets: [],
    etag: () => '',
    offers: {
      tools: tools.length > 0,
      prompts: prompts.length > 0,
      resources: resources.length > 0,
      tasks: tools.some((tool) => tool.capability === 'tool' && (tool.task !== undefined || tool.keptAsTask === true)),
    },
  };
}

type Summary = Pick<Listing, 'stale' | 'absent' | 'services' | 'offers'>;

function summaryOf(catalog: Catalog, seen: readonly Target[], absent: readonly Target[]): Summary {
  const names = new Set(seen.map(({ service }) => service));
  return {
    stale: catalog.stale,
    absent: [...new Set(absent.map(({ service }) => service))],
    services: catalog.services.filter(({ name }) => names.has(name)),
    offers: { tools: false, prompts: false, resources: false, tasks: false },
  };
}

function listed(catalog: Catalog, capability: Capability): readonly Target[] {
  switch (capability) {
    case 'tool':
      return catalog.tools;
    case 'prompt':
      return catalog.prompts;
    case 'resource':
      return catalog.resources;
    case 'template':
      return catalog.templates;
    case 'method':
      return catalog.methods;
    default:
      return capability satisfies never;
  }
}

/** How a list is ordered, and gone on with after a mark. */
interface Order {
  mark(target: Target): string;
  after(targets: readonly Target[], mark: string | undefined): readonly Target[];
}

/** A mark is the name of the last one of the page before: it stays right when others come and go in between. */
const byName: Order = {
  mark: ({ name }) => name,
  after: (targets, mark) => (mark === undefined ? targets : targets.filter(({ name }) => name > mark)),
};

const byPosition: Order = {
  mark: ({ position }) => String(position),
  after: (targets, mark) =>
    targets
      .filter(({ position }) => mark === undefined || position > Number(mark))
      .sort((one, other) => one.position - other.position),
};

function readCursor(cursor: string): string {
  if (!cursor.startsWith('after:')) {
    throw new GatewayError('malformed_params', { issues: ['cursor: not one that this gateway gave out'] });
  }
  return cursor.slice('after:'.length);
}

/** FNV-1a over the definition hashes: not a secret and not a signature, only a way to see that something changed. */
function fingerprint(targets: readonly Target[], shown: (target: Target) => Target): string {
  let hash = 0xcbf29ce484222325n;
  for (const target of targets) {
    const own = shown(target);
    // Its definition does not say what of it this caller is shown.
    const narrowed = own === target || own.capability !== 'tool' ? [] : [JSON.stringify(own.inputSchema)];
    for (const text of [target.name, target.definitionHash, ...target.scopes, ...narrowed]) {
      for (let i = 0; i < text.length; i++) {
        hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
      }
    }
  }
  return hash.toString(16).padStart(16, '0');
}
