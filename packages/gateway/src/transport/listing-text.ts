import type { JsonText, Tool } from '@sallyport/core';

/** Makes the function that turns tools into entries of MCP's `tools/list`. Tools are replaced, never changed, so each is written once. */
export function createToolText(): (tool: Tool) => JsonText {
  const written = new WeakMap<Tool, JsonText>();
  return (tool) => {
    const known = written.get(tool);
    if (known !== undefined) return known;
    const text = JSON.stringify(mcpEntry(tool)) as JsonText;
    written.set(tool, text);
    return text;
  };
}

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

/** Annotations are hints for people who look at a client; nothing in the gateway reads them. */
function mcpEntry(tool: Tool): object {
  const { name, title, description, inputSchema, outputSchema, sideEffect, idempotent, scopes, stability } = tool;
  return {
    ...{ name, title, description, inputSchema, outputSchema },
    annotations: {
      title,
      readOnlyHint: sideEffect === 'read',
      destructiveHint: sideEffect === 'destructive',
      idempotentHint: idempotent,
    },
    _meta: { 'dev.sallyport/scopes': scopes, 'dev.sallyport/stability': stability },
  };
}
