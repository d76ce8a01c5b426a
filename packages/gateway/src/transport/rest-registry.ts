import { GatewayError, type ServiceStatus } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import type { HttpExchange } from './http-response.ts';
import { addressOf, mcpUrl, registryNamespace } from './rest-address.ts';
import {
  declineRest,
  digest,
  limitOf,
  listOrRefuse,
  malformed,
  queryOf,
  type RestExchange,
  receiveRest,
  refuseRest,
  sendTagged,
} from './rest-exchange.ts';

/**
 * The API of MCP registries (`/v0.1/servers`), as a subregistry of what the caller sees: every service is a server at an
 * address of this gateway. There is one version of each, the one that answers.
 */
export interface Registry {
  /** `GET /v0.1/servers?limit=&cursor=&search=&version=&updated_since=`. What changed when is not known: all did. */
  listServers(http: HttpExchange): Promise<void>;
  /** `GET /v0.1/servers/{name}/versions` */
  listVersions(http: HttpExchange, name: string): Promise<void>;
  /** `GET /v0.1/servers/{name}/versions/{version}`, or `latest` */
  showVersion(http: HttpExchange, name: string, version: string): Promise<void>;
}

/** Makes the routes. */
export function createRegistry(deps: TransportDeps): Registry {
  return {
    listServers: (http) => listServers(receiveRest(deps, http)),
    listVersions: async (http, name) => {
      const exchange = receiveRest(deps, http);
      const found = await serverNamed(exchange, name);
      if (found !== undefined) sendTagged(exchange, { body: JSON.stringify(listOf([found], undefined)) });
    },
    showVersion: async (http, name, version) => {
      const exchange = receiveRest(deps, http);
      const found = await serverNamed(exchange, name, version);
      if (found !== undefined) sendTagged(exchange, { body: JSON.stringify(found) });
    },
  };
}

const everyone = { verb: 'list', capability: 'any', limit: 0 } as const;
const defaultLimit = 30;
const cursorLifeMs = 24 * 3_600_000;

async function listServers(exchange: RestExchange): Promise<void> {
  const { deps, http } = exchange;
  const query = queryOf(http.request);
  const page = pageOf(deps, query);
  if (page instanceof GatewayError) return declineRest(exchange, page);
  const listing = await listOrRefuse(exchange, everyone);
  if (listing === undefined) return;
  const search = query.get('search')?.toLowerCase() ?? '';
  const version = query.get('version') ?? 'latest';
  const wanted = listing.services
    .filter((service) => service.name > page.after && isVersion(service, version) && service.name.includes(search))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const shown = wanted.slice(0, page.limit);
  const last = shown.length < wanted.length ? shown.at(-1)?.name : undefined;
  const next =
    last === undefined ? undefined : deps.sealer.seal('servers', { after: last }, deps.nowMs() + cursorLifeMs);
  const servers = shown.map((service) => serverOf(exchange, service));
  // Cursors are never the same twice.
  sendTagged(exchange, { body: JSON.stringify(listOf(servers, next)), etag: digest(JSON.stringify(servers)) });
}

interface Page {
  readonly after: string;
  readonly limit: number;
}

function pageOf({ sealer }: TransportDeps, query: URLSearchParams): Page | GatewayError {
  const limit = query.has('limit') ? limitOf(query) : defaultLimit;
  if (limit instanceof GatewayError) return limit;
  const since = query.get('updated_since');
  if (since !== null && Number.isNaN(Date.parse(since))) return malformed('updated_since: must be a date and time');
  const cursor = query.get('cursor') ?? '';
  const after = cursor === '' ? '' : sealer.open('servers', cursor)?.after;
  return typeof after === 'string' ? { after, limit } : malformed('cursor: not one that this gateway gave out');
}

/** The server of this name and version; undefined when there is none, which is answered then. */
async function serverNamed(exchange: RestExchange, name: string, version = 'latest'): Promise<object | undefined> {
  const listing = await listOrRefuse(exchange, everyone);
  if (listing === undefined) return undefined;
  const namespace = registryNamespace(addressOf(exchange.deps, exchange.http.request));
  const found = listing.services.find(
    (service) => name === `${namespace}/${service.name}` && isVersion(service, version),
  );
  if (found === undefined) refuseRest(exchange, new GatewayError('not_found'));
  return found && serverOf(exchange, found);
}

function isVersion(service: ServiceStatus, version: string): boolean {
  return version === 'latest' || version === service.version;
}

function listOf(servers: readonly object[], nextCursor: string | undefined): object {
  return { servers, metadata: { count: servers.length, nextCursor } };
}

const maxDescriptionLength = 100;

/** A service in the form of the registry (`server.json`), with what is known of it here beside it. */
function serverOf({ deps, http }: RestExchange, service: ServiceStatus): object {
  const { name, version, owner, state, instances, mcp } = service;
  const address = addressOf(deps, http.request);
  const { title, description } = mcp?.serverInfo ?? {};
  const about =
    typeof description === 'string' && description !== '' ? description : `The service ${name}, of ${owner}.`;
  const server = {
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
    name: `${registryNamespace(address)}/${name}`,
    ...(typeof title === 'string' && title !== '' && { title: title.slice(0, maxDescriptionLength) }),
    description: about.slice(0, maxDescriptionLength),
    version,
    remotes: [{ type: 'streamable-http', url: mcpUrl(address, { kind: 'mount', service: name }), headers: [token] }],
  };
  return { server, _meta: { 'dev.sallyport/catalog': { owner, state, instances } } };
}

const token = { name: 'Authorization', description: 'Bearer, and a token of this gateway.', isSecret: true };
