import { GatewayError } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';

/**
 * Compares `Mcp-Param-*` headers with the arguments they mirror (MCP 2026-07-28, Streamable HTTP): a property annotated
 * `x-mcp-header` must have its header when it has a value, and the two must be equal. Other `Mcp-Param-*` are ignored.
 *
 * @throws GatewayError `header_mismatch` naming the header.
 */
export function checkParamHeaders(schema: JsonObject, args: JsonObject, headers: ReadonlyMap<string, string>): void {
  const properties = schema.properties;
  if (!isObject(properties)) return;
  for (const [name, property] of Object.entries(properties)) {
    const header = isObject(property) ? property['x-mcp-header'] : undefined;
    if (typeof header !== 'string') continue;
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    const sent = headers.get(header.toLowerCase());
    const expected = value === undefined || value === null ? undefined : value;
    if (!agrees(expected, sent)) {
      throw new GatewayError('header_mismatch', {
        issues: [`Mcp-Param-${header}: must mirror the argument "${name}"`],
      });
    }
  }
}

function agrees(value: JsonValue | undefined, sent: string | undefined): boolean {
  if (value === undefined || sent === undefined) return value === sent;
  if (typeof value === 'number') return sent.trim() !== '' && Number(sent) === value;
  return sent === String(value);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
