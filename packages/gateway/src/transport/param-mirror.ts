import { encodeHeaderValue, isJsonObject, type JsonValue, mcpHeaders } from '@sallyport/protocol';

/** Knows which arguments a modern client repeats in `Mcp-Param-*` headers, from the lists of tools that passed by. */
export interface ParamMirror {
  /** Takes the result of a `tools/list`. */
  learn(result: JsonValue | undefined): void;
  /** The headers for the `params` of a `tools/call`. */
  headers(params: JsonValue | undefined): Readonly<Record<string, string>>;
}

interface Mirrored {
  readonly property: string;
  readonly header: string;
}

/** Makes one that knows nothing yet (MCP 2026-07-28, Streamable HTTP, `x-mcp-header`). */
export function createParamMirror(): ParamMirror {
  const byTool = new Map<string, readonly Mirrored[]>();
  return {
    learn: (result) => {
      const tools = isJsonObject(result) ? result.tools : undefined;
      if (!Array.isArray(tools)) return;
      for (const tool of tools as readonly JsonValue[]) {
        if (isJsonObject(tool) && typeof tool.name === 'string') byTool.set(tool.name, annotations(tool.inputSchema));
      }
    },
    headers: (params) => {
      const name = isJsonObject(params) ? params.name : undefined;
      const args = isJsonObject(params) ? params.arguments : undefined;
      if (typeof name !== 'string' || !isJsonObject(args)) return {};
      const entries = (byTool.get(name) ?? []).map(({ property, header }) => [header, args[property]] as const);
      return Object.fromEntries(
        entries
          .filter(([, value]) => value !== undefined && value !== null && typeof value !== 'object')
          .map(([header, value]) => [`${mcpHeaders.paramPrefix}${header}`, encodeHeaderValue(String(value))]),
      );
    },
  };
}

function annotations(schema: JsonValue | undefined): readonly Mirrored[] {
  const properties = isJsonObject(schema) ? schema.properties : undefined;
  if (!isJsonObject(properties)) return [];
  return Object.entries(properties).flatMap(([property, definition]) => {
    const header = isJsonObject(definition) ? definition['x-mcp-header'] : undefined;
    // Anything but a token would not make a header name.
    return typeof header === 'string' && /^[A-Za-z0-9-]+$/.test(header) ? [{ property, header }] : [];
  });
}
