import type { Endpoint, Listing } from '@sallyport/core';
import { legacyRevisions, modernRevisions } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import type { HttpExchange } from './http-response.ts';
import { addressOf, mcpUrl, registryNamespace } from './rest-address.ts';
import { listOrRefuse, type RestExchange, receiveRest, sendTagged } from './rest-exchange.ts';

const cardType = 'application/mcp-server-card+json';
const everyone = { verb: 'list', capability: 'any', limit: 0 } as const;

/** Cards are read by pages of other origins. They carry no cookies, and say nothing without the caller's own token. */
const anyOrigin = { 'Access-Control-Allow-Origin': '*' };

/**
 * Serves `GET <mcp-url>/server-card`: the endpoint as a server, for programs that look for servers (experimental, SEP-2127).
 * It says no more than the endpoint itself would say to this caller.
 */
export async function serveCard(deps: TransportDeps, http: HttpExchange, endpoint: Endpoint): Promise<void> {
  const received = receiveRest(deps, http);
  const exchange = { ...received, reception: { ...received.reception, endpoint } };
  const listing = await listOrRefuse(exchange, everyone);
  if (listing === undefined) return;
  const body = JSON.stringify(cardOf(exchange, endpoint, listing));
  sendTagged(exchange, { body, type: cardType, headers: anyOrigin });
}

function cardOf({ deps, http }: RestExchange, endpoint: Endpoint, { services }: Listing): object {
  const address = addressOf(deps, http.request);
  const [only] = endpoint.kind === 'mount' ? services : [];
  const name = only?.name ?? (endpoint.kind === 'view' ? endpoint.name : deps.serverInfo.name);
  const { title } = only?.mcp?.serverInfo ?? {};
  return {
    $schema: 'https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json',
    name: `${registryNamespace(address)}/${name}`,
    version: only?.version ?? deps.serverInfo.version,
    description: only === undefined ? 'Tools of several services behind one gateway.' : `The service ${name}.`,
    ...(typeof title === 'string' && { title }),
    remotes: [
      {
        type: 'streamable-http',
        url: mcpUrl(address, endpoint),
        supportedProtocolVersions: [...modernRevisions, ...legacyRevisions],
      },
    ],
  };
}

/** Serves `GET /.well-known/ai-catalog.json`: the cards of the gateway and of every service that the caller sees. */
export async function serveAiCatalog(deps: TransportDeps, http: HttpExchange): Promise<void> {
  const exchange = receiveRest(deps, http);
  const listing = await listOrRefuse(exchange, everyone);
  if (listing === undefined) return;
  const address = addressOf(deps, http.request);
  const entry = (name: string, endpoint: Endpoint) => ({
    ...{ identifier: `urn:air:${address.hostname}:mcp:${name}`, type: cardType },
    url: `${mcpUrl(address, endpoint)}/server-card`,
  });
  const entries = [
    entry(deps.serverInfo.name, { kind: 'all' }),
    ...listing.services.map(({ name }) => entry(name, { kind: 'mount', service: name })),
  ];
  sendTagged(exchange, { body: JSON.stringify({ specVersion: '1.0', entries }), headers: anyOrigin });
}
