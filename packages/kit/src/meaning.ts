import type { HopMethod, JsonObject, JsonValue } from '@sallyport/protocol';
import type { IncomingCall } from './call-context.ts';

/** What a request of MCP is for, by the name that it has at the service, and what is handed over with it. */
export function meantBy(method: HopMethod, params: JsonObject): Pick<IncomingCall, 'tool' | 'arguments'> {
  const { _meta, inputResponses, requestState, ...rest } = params;
  const { name, arguments: args, uri, ref } = rest;
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return { tool: textOf(name), arguments: objectOf(args) };
    case 'resources/read':
      return { tool: textOf(uri), arguments: rest };
    case 'completion/complete': {
      const { name: prompt, uri: template } = objectOf(ref);
      return { tool: textOf(prompt ?? template), arguments: rest };
    }
    default:
      // Nobody but the service knows which tool made the task.
      return { tool: '', arguments: { ...rest, ...(inputResponses !== undefined && { inputResponses }) } };
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
