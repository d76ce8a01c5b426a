import { type Capability, everything, GatewayError, type Listing, type ListRequest } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import { openCursor, sealCursor } from './mcp-list.ts';
import { limitOf, malformed } from './rest-exchange.ts';

/** The page of a list that a query asks for: `limit`, `cursor`. */
export function pageOf(
  deps: TransportDeps,
  capability: Capability,
  query: URLSearchParams,
): ListRequest | GatewayError {
  const limit = limitOf(query);
  if (limit instanceof GatewayError) return limit;
  const cursor = openCursor(deps, { endpoint: everything, capability }, query.get('cursor') ?? undefined);
  if (cursor === undefined) return malformed('cursor: not one that this gateway gave out');
  return { verb: 'list', capability, limit, ...(cursor !== '' && { cursor }) };
}

/** The cursor of the page after. */
export function nextCursorOf(
  deps: TransportDeps,
  capability: Capability,
  after: string | undefined,
): string | undefined {
  return after === undefined ? undefined : sealCursor(deps, { endpoint: everything, capability }, after);
}

/** While services are expected back, or were never seen, what is missing may only not be there yet. */
export function staleness({ stale, absent }: Pick<Listing, 'stale' | 'absent'>): object {
  return { ...((stale || absent.length > 0) && { stale: true }), ...(absent.length > 0 && { absent }) };
}
