import type { JsonObject, JsonValue } from '@sallyport/protocol';
import type { RequestKind } from './request.ts';

/** A tool, as far as requests for it differ from those for others. */
export interface AnalysedTool {
  readonly name: string;
  readonly service: string;
  readonly sideEffect: string;
  readonly classification: string;
  readonly risk: string;
  readonly owner: string;
  readonly internal: boolean;
}

const levels = ['public', 'internal', 'confidential', 'restricted'];

/** One kind of requests for each tool, by the schema that its policies are checked with (Cedar's JSON form). */
export function requestKinds(schema: JsonObject, tools: readonly AnalysedTool[]): readonly RequestKind[] {
  const root = objectIn(schema, '');
  const principal = objectIn(root, 'entityTypes', 'Principal', 'shape');
  return tools.map((tool) => {
    const { name, service, sideEffect, classification, risk, owner, internal } = tool;
    return {
      action: { type: 'Action', id: name },
      actionGroups: ['call', sideEffect].map((id) => ({ type: 'Action', id })),
      resource: { type: 'Tool', id: name },
      resourceParents: [{ type: 'Service', id: service }],
      resourceAttributes: {
        ...{ name, service, sideEffect, classification, risk, owner, internal },
        classificationLevel: levels.indexOf(classification),
      },
      principalType: 'Principal',
      principal,
      context: objectIn(root, 'actions', name, 'appliesTo', 'context'),
    };
  });
}

function objectIn(value: JsonValue | undefined, ...path: readonly string[]): JsonObject {
  const found = path.reduce<JsonValue | undefined>(
    (outer, name) =>
      typeof outer === 'object' && outer !== null && !Array.isArray(outer) ? (outer as JsonObject)[name] : undefined,
    value,
  );
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new Error(`the schema has no ${path.join('.')}`);
  }
  return found as JsonObject;
}
