import { type Endpoint, everything } from '@sallyport/core';

/** Paths below `/mcp` that are something else: no service may have one of these names. */
export const reservedServiceNames: ReadonlySet<string> = new Set([
  'call',
  'catalog',
  'server-card',
  'tools',
  'views',
  'ws',
]);

/** As in configuration: lower-case letters, digits and `-`. */
const belowMcp = /^\/mcp\/(?:(views)\/)?([a-z][a-z0-9-]{0,62})(\/ws)?$/;

/** The MCP endpoint at a path: `/mcp` for everything, `/mcp/{service}` for one service, `/mcp/views/{name}` for a view. */
export function endpointAt(path: string): Endpoint | undefined {
  if (path === '/mcp') return everything;
  const [, views, name, ws] = belowMcp.exec(path) ?? [];
  return name === undefined || ws !== undefined ? undefined : endpointNamed(views !== undefined, name);
}

/** The endpoint of a WebSocket at a path: each endpoint has one at `/ws` below it. */
export function webSocketEndpoint(path: string): Endpoint | undefined {
  if (path === '/mcp/ws') return everything;
  const [, views, name, ws] = belowMcp.exec(path) ?? [];
  return name === undefined || ws === undefined ? undefined : endpointNamed(views !== undefined, name);
}

function endpointNamed(isView: boolean, name: string): Endpoint | undefined {
  if (isView) return { kind: 'view', name };
  return reservedServiceNames.has(name) ? undefined : { kind: 'mount', service: name };
}
