import { reasons } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { guardOf } from './guarded.ts';
import { type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** The operation that describes all of them. */
export const openApiOperation = 'gateway.openapi';

/** @param document is asked when it is called: it describes this operation, too. */
export function openApi(document: () => JsonObject): Operation {
  return {
    tool: reading(openApiOperation, 'admin:read', {
      description: 'Describes this API (OpenAPI 3.1). GET /admin/v1/openapi.json is the same without an envelope.',
      inputSchema: schemas.strictObject({}),
    }),
    handler: async () => document(),
  };
}

const error: JsonObject = {
  type: 'object',
  required: ['error', 'trace_id'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'reason', 'message'],
      properties: {
        code: { type: 'string', description: 'For programs: one of a closed list.' },
        reason: { enum: Object.keys(reasons), description: 'The same word as in the audit log.' },
        message: { type: 'string' },
        issues: { type: 'array', items: { type: 'string' }, description: 'What to mend.' },
        scopes: { type: 'array', items: { type: 'string' }, description: 'One of these is needed.' },
      },
    },
    trace_id: { type: 'string', description: 'Names the call in the audit log.' },
  },
};

/** All operations as an OpenAPI document: what is declared of them, and nothing else. */
export function openApiDocument(operations: readonly Operation[]): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport administration',
      version: '1.0.0',
      description:
        'Every operation is a POST with a JSON body, takes the same path as any call (identity, scopes, limits, record), and is on record. Loopback only.',
    },
    servers: [{ url: 'http://127.0.0.1:3001' }],
    security: [{ token: [] }],
    paths: Object.fromEntries(operations.map((operation) => [`/admin/v1/${operation.tool.name}`, pathItem(operation)])),
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token with the scope that is named.' },
      },
      schemas: { Error: error },
      responses: {
        Refused: {
          description: 'Refused.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    },
  };
}

function pathItem({ tool }: Operation): JsonObject {
  const { name, description, scopes = [], sideEffect = 'write', inputSchema, outputSchema = {} } = tool;
  const guard = guardOf(name);
  const answer = {
    type: 'object',
    required: ['result', 'trace_id'],
    properties: { result: outputSchema, trace_id: { type: 'string' } },
  };
  const etag = {
    ETag: { description: 'Names what is shown, for If-Match of what changes it.', schema: { type: 'string' } },
  };
  return {
    post: {
      operationId: name,
      tags: [name.slice(0, name.indexOf('.'))],
      summary: description,
      'x-scopes': scopes,
      'x-side-effect': sideEffect,
      ...(guard && {
        parameters: [
          { name: 'If-Match', in: 'header', schema: { type: 'string' }, description: `The ETag of ${guard.by}.` },
        ],
      }),
      requestBody: { required: true, content: { 'application/json': { schema: inputSchema } } },
      responses: {
        '200': {
          description: 'Done.',
          ...(sideEffect === 'read' && { headers: etag }),
          content: { 'application/json': { schema: answer } },
        },
        default: { $ref: '#/components/responses/Refused' },
      },
    },
  } as unknown as JsonObject;
}
