import { GatewayError, type Input, type JsonText, type Stages, type Tool } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { checkParamHeaders } from './param-headers.ts';
import type { Schemas } from './schemas.ts';

/**
 * Arguments must be an object; those of a tool must agree with their mirrored headers and match its own schema. What a
 * prompt takes, or a resource is asked with, its service knows best.
 */
export function createValidate(schemas: Schemas): Stages['validate'] {
  return (call, tool): Input => {
    const { argumentsText, method } = call.request;
    const value = parseArguments(argumentsText);
    if (tool.capability !== 'tool' || method !== 'tools/call') return { text: argumentsText, value };
    if (call.origin.transport === 'http' && call.origin.era === 'modern') {
      checkParamHeaders(tool.inputSchema, value, call.request.paramHeaders);
    }
    const issues = schemas.check(tool.inputSchema)(checkedPart(tool, value));
    // What comes back will have to be checked as well: better to know now that it can be.
    if (tool.outputSchema) schemas.check(tool.outputSchema);
    if (issues.length > 0) throw new GatewayError('invalid_input', { issues });
    return { text: argumentsText, value };
  };
}

/**
 * What of the arguments is held against the schema. Clients write `null` for what they leave out, and servers that were not
 * written for this gateway are used to it: where such a server does not ask for a property, `null` is as good as nothing.
 * What is sent on is the text as it came.
 */
function checkedPart({ entryText, inputSchema }: Tool, value: JsonObject): JsonObject {
  if (entryText === undefined || !Object.values(value).includes(null)) return value;
  const { required } = inputSchema;
  const isAsked = (name: string): boolean => Array.isArray(required) && required.includes(name);
  return Object.fromEntries(Object.entries(value).filter(([name, member]) => member !== null || isAsked(name)));
}

function parseArguments(text: JsonText): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new GatewayError('invalid_input', { issues: ['/: is not valid JSON'] }, { cause });
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new GatewayError('invalid_input', { issues: ['/: must be an object'] });
  }
  return value as JsonObject;
}
