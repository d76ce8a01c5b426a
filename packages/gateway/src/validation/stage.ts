import { GatewayError, type Input, type JsonText, type Stages } from '@sallyport/core';
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
    const issues = schemas.check(tool.inputSchema)(value);
    // What comes back will have to be checked as well: better to know now that it can be.
    if (tool.outputSchema) schemas.check(tool.outputSchema);
    if (issues.length > 0) throw new GatewayError('invalid_input', { issues });
    return { text: argumentsText, value };
  };
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
