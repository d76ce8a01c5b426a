import type {
  JsonObject,
  PromptManifest,
  ResourceManifest,
  ServiceManifest,
  TemplateManifest,
  ToolManifest,
} from '@sallyport/protocol';

/** Answers the methods that list, all in one page. `undefined` for any other method. */
export function listFor(manifest: ServiceManifest, method: string): JsonObject | undefined {
  const { tools, prompts = [], resources = [], templates = [], mcp } = manifest;
  switch (method) {
    case 'tools/list':
      return { tools: tools.map(describeTool) };
    case 'prompts/list':
      return mcp?.capabilities.prompts === undefined ? undefined : { prompts: prompts.map(describePrompt) };
    case 'resources/list':
      return mcp?.capabilities.resources === undefined ? undefined : { resources: resources.map(describeResource) };
    case 'resources/templates/list':
      return mcp?.capabilities.resources === undefined
        ? undefined
        : { resourceTemplates: templates.map(describeTemplate) };
    default:
      return undefined;
  }
}

function describeTool(tool: ToolManifest): JsonObject {
  const { name, title, description, inputSchema, outputSchema, sideEffect, idempotent } = tool;
  return {
    name,
    ...(title !== undefined && { title }),
    description,
    inputSchema: { ...inputSchema, type: 'object' },
    ...(outputSchema && { outputSchema: { ...outputSchema, type: 'object' } }),
    annotations: {
      readOnlyHint: sideEffect === 'read',
      destructiveHint: sideEffect === 'destructive',
      idempotentHint: idempotent === true,
    },
  };
}

function describePrompt({ name, title, description, arguments: args = [] }: PromptManifest): JsonObject {
  return { name, ...(title !== undefined && { title }), description, arguments: args.map((each) => ({ ...each })) };
}

function describeResource({ uri, ...rest }: ResourceManifest): JsonObject {
  return { uri, ...named(rest) };
}

function describeTemplate({ uriTemplate, ...rest }: TemplateManifest): JsonObject {
  return { uriTemplate, ...named(rest) };
}

function named({ name, title, description, mimeType }: Omit<ResourceManifest, 'uri'>): JsonObject {
  return {
    name,
    ...(title !== undefined && { title }),
    description,
    ...(mimeType !== undefined && { mimeType }),
  };
}
