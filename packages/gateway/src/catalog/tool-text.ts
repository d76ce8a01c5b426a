import type { JsonText, Tool } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';

const texts = new WeakMap<Tool, JsonText>();

/**
 * The entry of a tool in MCP's `tools/list`: what the service declared, unchanged, and what else a client may want to
 * know under `_meta`. Made once per tool.
 */
export function toolText(tool: Tool): JsonText {
  const known = texts.get(tool);
  if (known !== undefined) return known;
  const text = JSON.stringify(entry(tool)) as JsonText;
  texts.set(tool, text);
  return text;
}

function entry(tool: Tool): JsonObject {
  return {
    name: tool.name,
    ...(tool.title !== undefined && { title: tool.title }),
    description: tool.description,
    inputSchema: tool.inputSchema,
    ...(tool.outputSchema && { outputSchema: tool.outputSchema }),
    annotations: {
      readOnlyHint: tool.sideEffect === 'read',
      destructiveHint: tool.sideEffect === 'destructive',
      idempotentHint: tool.idempotent,
    },
    _meta: {
      'dev.sallyport/alias': tool.alias,
      'dev.sallyport/version': tool.version,
      'dev.sallyport/owner': tool.owner,
      'dev.sallyport/stability': tool.stability,
      'dev.sallyport/classification': tool.classification,
      'dev.sallyport/scopes': tool.scopes,
      ...(tool.examples.length > 0 && { 'dev.sallyport/examples': tool.examples }),
    },
  };
}
