import type { Endpoint, Listing } from '@sallyport/core';
import { type Era, isJsonObject, type JsonObject, type Offer } from '@sallyport/protocol';

/** Whom an offer is made to. */
export interface OfferedTo {
  readonly endpoint: Endpoint;
  readonly era: Era;
  /** Whether the gateway and the client can tell each other anything between requests. */
  readonly isLasting: boolean;
  /** Calls may have to wait for somebody, as tasks where the client knows those. Default: they do not. */
  readonly mayWait?: boolean;
}

/** What was offered where a server is mounted alone, and who offers it. */
export interface EndpointOffer extends Offer {
  /** What the server behind the endpoint says of itself. */
  readonly behind?: JsonObject;
}

/**
 * What one caller is told it can do at an endpoint: from the list of what it sees there (`capability: 'any'`). Where a server
 * is mounted alone it is what the server says, as far as the gateway relays it.
 */
export function offerAt(listing: Listing, to: OfferedTo): EndpointOffer {
  const server = to.endpoint.kind === 'mount' ? listing.services[0]?.mcp : undefined;
  if (server === undefined) return { capabilities: inEra(withTasks(listing, together(listing), to), to) };
  const { instructions, serverInfo } = server;
  // A server may leave out what it has been found to have.
  const whole = withTasks(listing, withListNews({ ...offered(listing), ...server.capabilities }), to);
  const capabilities = inEra(whole, to);
  return {
    capabilities,
    ...(instructions !== undefined && { instructions }),
    ...(serverInfo !== undefined && { behind: serverInfo }),
  };
}

/** The extension under which calls go on in the background (`resultType: "task"`). */
const tasksExtension = 'io.modelcontextprotocol/tasks';

/** What several services offer together: what any one of them has. */
function together(listing: Listing): JsonObject {
  const servers = listing.services.flatMap(({ mcp }) => (mcp === undefined ? [] : [mcp.capabilities]));
  const subscribe = servers.some(({ resources }) => isJsonObject(resources) && resources.subscribe === true);
  const { tools, prompts, resources } = offered(listing);
  const extensions = Object.assign({}, ...servers.map((server) => server.extensions).filter(isJsonObject));
  return {
    tools: tools ?? listChanged,
    ...(prompts !== undefined && { prompts }),
    ...(resources !== undefined && { resources: { ...listChanged, ...(subscribe && { subscribe }) } }),
    ...(servers.some((server) => isJsonObject(server.completions)) && { completions: {} }),
    ...(servers.some((server) => isJsonObject(server.logging)) && { logging: {} }),
    ...(Object.keys(extensions).length > 0 && { extensions }),
  };
}

const listChanged: JsonObject = { listChanged: true };

/** Whether or not a server tells that its lists change, the gateway notices, and tells. */
function withListNews(capabilities: JsonObject): JsonObject {
  const lists = ['tools', 'prompts', 'resources'].flatMap((name) => {
    const value = capabilities[name];
    return isJsonObject(value) ? [[name, { ...value, ...listChanged }] as const] : [];
  });
  return { ...capabilities, ...Object.fromEntries(lists) };
}

/** Calls of some tool may become tasks, at its service or here. */
function withTasks({ offers }: Listing, capabilities: JsonObject, { mayWait = false }: OfferedTo): JsonObject {
  if (!offers.tasks && !(mayWait && offers.tools)) return capabilities;
  const { extensions } = capabilities;
  return { ...capabilities, extensions: { ...(isJsonObject(extensions) && extensions), [tasksExtension]: {} } };
}

/** What there is to list. While services are still expected back, there may be anything. */
function offered({ offers, stale, absent }: Listing): JsonObject {
  const isPartial = stale || absent.length > 0;
  return {
    ...((offers.tools || isPartial) && { tools: listChanged }),
    ...((offers.prompts || isPartial) && { prompts: listChanged }),
    ...((offers.resources || isPartial) && { resources: listChanged }),
  };
}

/** Without what clients of this era cannot be given. Tasks of the old kind (2025-11-25, experimental) are nobody's. */
function inEra(capabilities: JsonObject, { era, isLasting }: OfferedTo): JsonObject {
  const { tasks, logging, extensions, ...rest } = capabilities;
  const kept = isJsonObject(extensions) ? extensionsIn(era, extensions) : {};
  const lists = era === 'modern' || isLasting ? rest : withoutNews(rest);
  return {
    ...lists,
    ...(logging !== undefined && (era === 'modern' || isLasting) && { logging }),
    ...(Object.keys(kept).length > 0 && { extensions: kept }),
  };
}

function extensionsIn(era: Era, extensions: JsonObject): JsonObject {
  const { [tasksExtension]: tasks, ...others } = extensions;
  return era === 'modern' ? extensions : others;
}

/** A client without a session hears nothing between its requests. */
function withoutNews(capabilities: JsonObject): JsonObject {
  const entries = Object.entries(capabilities).map(([name, value]) => {
    if (!isJsonObject(value)) return [name, value] as const;
    const { listChanged: news, subscribe, ...others } = value;
    return [name, others] as const;
  });
  return Object.fromEntries(entries);
}
