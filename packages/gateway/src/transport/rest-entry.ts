import type { Tool } from '@sallyport/core';

/** The entry of a tool in `GET /mcp/tools`: all that a caller who may call it may know. */
export function restEntry(tool: Tool): object {
  const { name, alias, title, description, inputSchema, outputSchema, examples, scopes, service, version, owner } =
    tool;
  const { sideEffect, expensive, idempotent, classification, risk, stability } = tool;
  return {
    ...{ name, alias, title, description, inputSchema, outputSchema, examples, scopes, service, version, owner },
    ...{ sideEffect, expensive, idempotent, classification, risk, stability },
  };
}
