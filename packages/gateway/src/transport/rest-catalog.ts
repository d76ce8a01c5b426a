import type { Capability, GatewayError, Listing, ListRequest } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import type { HttpExchange } from './http-response.ts';
import { restEntry, serviceEntry } from './rest-entry.ts';
import { digest, listOrRefuse, malformed, queryOf, receiveRest, sendTagged } from './rest-exchange.ts';
import { nextCursorOf, pageOf, staleness } from './rest-list.ts';

/** What `kind` may be. */
const kinds: ReadonlyMap<string, Capability> = new Map([
  ['tools', 'tool'],
  ['prompts', 'prompt'],
  ['resources', 'resource'],
  ['templates', 'template'],
]);

/**
 * Serves `GET /mcp/catalog`: the namespaces that the caller sees something of, with owner and health, and which kinds of
 * things there are; with `?kind=tools|prompts|resources|templates&limit=&cursor=` the entries of one kind, page by page.
 */
export async function serveCatalog(deps: TransportDeps, http: HttpExchange): Promise<void> {
  const exchange = receiveRest(deps, http);
  const query = queryOf(http.request);
  const kind = query.get('kind');
  const listing = await listOrRefuse(exchange, askedFor(deps, kind, query));
  if (listing === undefined) return;
  if (kind === null) return sendTagged(exchange, { body: JSON.stringify(overview(listing)) });
  // Cursors are never the same twice.
  const etag = digest(`${listing.etag()} ${JSON.stringify(listing.services)} ${query}`);
  sendTagged(exchange, { body: JSON.stringify(page(deps, kind, listing)), etag });
}

function askedFor(deps: TransportDeps, kind: string | null, query: URLSearchParams): ListRequest | GatewayError {
  if (kind === null) return { verb: 'list', capability: 'any', limit: 0 };
  const capability = kinds.get(kind);
  if (capability === undefined) return malformed(`kind: must be one of ${[...kinds.keys()].join(', ')}`);
  return pageOf(deps, capability, query);
}

function overview({ services, offers, stale, absent }: Listing): object {
  const { tools, prompts, resources } = offers;
  const there = { tools, prompts, resources, templates: resources };
  return {
    services: services.map(serviceEntry),
    kinds: Object.entries(there).flatMap(([kind, isThere]) => (isThere ? [kind] : [])),
    ...staleness({ stale, absent }),
  };
}

function page(deps: TransportDeps, kind: string, { targets, services, nextCursor, stale, absent }: Listing): object {
  return {
    [kind]: targets.map(restEntry),
    services: services.map(serviceEntry),
    nextCursor: nextCursorOf(deps, kinds.get(kind) ?? 'tool', nextCursor),
    ...staleness({ stale, absent }),
  };
}
