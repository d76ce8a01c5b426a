import type { JsonObject } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { endpointAt, webSocketEndpoint } from './http-endpoint.ts';
import type { HttpExchange } from './http-response.ts';
import { serveAiCatalog, serveCard } from './rest-cards.ts';
import { serveCatalog } from './rest-catalog.ts';
import { createRegistry, type Registry } from './rest-registry.ts';

/** What is served at a path to a `GET`. */
export type Discovery = (path: string) => ((http: HttpExchange) => Promise<void>) | undefined;

const servers = '/v0.1/servers';
const card = '/server-card';

/**
 * Makes the routes by which programs find out what there is: the catalog, the registry API and, where they are switched on,
 * server cards. All of them show a caller only what it may see, and end in the pipeline like everything.
 */
export function createDiscovery(deps: TransportDeps): Discovery {
  const registry = createRegistry(deps);
  return (path) => {
    if (path === '/mcp/catalog') return (http) => serveCatalog(deps, http);
    if (path === servers) return registry.listServers;
    const metadata = path.startsWith('/.well-known/')
      ? (deps.document?.(path) ?? deps.resourceMetadata?.(path, isEndpoint))
      : undefined;
    if (metadata !== undefined) return async (http) => sendMetadata(http, await metadata);
    if (path.startsWith(`${servers}/`)) return versionRoute(registry, path.slice(servers.length + 1).split('/'));
    if (deps.serverCards !== true) return undefined;
    if (path === '/.well-known/ai-catalog.json') return (http) => serveAiCatalog(deps, http);
    const endpoint = path.endsWith(card) ? endpointAt(path.slice(0, -card.length)) : undefined;
    return endpoint && ((http) => serveCard(deps, http, endpoint));
  };
}

function isEndpoint(path: string): boolean {
  return endpointAt(path) !== undefined || webSocketEndpoint(path) !== undefined;
}

/** Anybody may read it, from any web page: it says nothing of what there is (RFC 9728 §3). */
function sendMetadata({ responder }: HttpExchange, metadata: JsonObject): void {
  const headers = {
    'Content-Type': 'application/json',
    'Cache-Control': 'max-age=300',
    'Access-Control-Allow-Origin': '*',
  };
  responder.send({ status: 200, headers, body: JSON.stringify(metadata) });
}

/** `{name}/versions[/{version}]`, where the slash in the name is escaped, or not. */
function versionRoute(registry: Registry, parts: readonly string[]): ReturnType<Discovery> {
  const at = parts.indexOf('versions');
  const name = decoded(parts.slice(0, at).join('/'));
  const version = decoded(parts[at + 1] ?? '');
  if (at < 1 || parts.length > at + 2 || name === undefined || version === undefined) return undefined;
  if (parts.length === at + 1) return (http) => registry.listVersions(http, name);
  return (http) => registry.showVersion(http, name, version);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
