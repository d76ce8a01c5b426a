import type { Catalog, Tool } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on the gateway itself lean on. */
export interface GatewayOperationDeps {
  /** The whole catalog of the data plane, as it is now. */
  readonly catalog: () => Catalog;
  /** Facts about the running gateway (version, uptime, addresses). Nothing secret: who may read it sees all of it. */
  readonly status: () => JsonObject;
  /** The gateway in numbers, in the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
}

/** What a scraper of metrics asks for. */
export const metricsOperation = 'metrics.show';

const scope = 'admin:read';

/** Look at the catalog and at the gateway. */
export function gatewayOperations({ catalog, status, metrics }: GatewayOperationDeps): readonly Operation[] {
  return [
    {
      tool: reading('catalog.show', scope, {
        description: 'Shows all services with versions, instances and tools, internal ones included.',
        inputSchema: schemas.strictObject({}),
      }),
      handler: async () => shown(catalog()),
    },
    {
      tool: reading('gateway.status', scope, {
        description: 'Tells how the gateway is.',
        inputSchema: schemas.strictObject({}),
      }),
      handler: async () => status(),
    },
    {
      tool: reading(metricsOperation, scope, {
        description:
          'Tells the gateway in numbers, in the text format of Prometheus. GET /metrics is the same as plain text.',
        inputSchema: schemas.strictObject({}),
      }),
      handler: async () => ({ text: await metrics() }),
    },
  ];
}

function shown({ revision, stale, services, tools }: Catalog): JsonObject {
  return {
    revision,
    stale,
    services: services.map(({ name, version, owner, instances, state }) => ({
      name,
      version,
      owner,
      instances,
      state,
      tools: tools.filter((tool) => tool.service === name && tool.version === version).map(shownTool),
    })),
  };
}

function shownTool(tool: Tool): JsonObject {
  const { name, alias, title, description, scopes, sideEffect, classification, risk } = tool;
  const {
    internal,
    stability,
    owner,
    auditRequired,
    timeoutMs,
    definitionHash,
    inputSchema,
    outputSchema,
    undeclared,
  } = tool;
  return {
    name,
    alias,
    ...(title !== undefined && { title }),
    description,
    scopes,
    sideEffect,
    classification,
    risk,
    internal,
    stability,
    owner,
    auditRequired,
    timeoutMs,
    definitionHash,
    inputSchema,
    ...(outputSchema && { outputSchema }),
    ...(undeclared && { undeclared }),
  };
}
