/** Bounds on one JSON Schema from outside: what is compiled, walked and shown to agents must stay small. */
const maxLength = 256 * 1024;
const maxDepth = 64;
const maxNodes = 20_000;
const maxReferences = 500;

const referenceKeywords = new Set(['$ref', '$dynamicRef', '$recursiveRef']);

interface Walk {
  nodes: number;
  references: number;
}

/**
 * Says what is wrong with the size or the references of a schema, or `undefined` when nothing is. A reference may only
 * point into the schema itself: nothing is ever fetched because a schema says so.
 */
export function schemaFault(schema: unknown): string | undefined {
  const fault = walk(schema, 0, { nodes: 0, references: 0 });
  if (fault !== undefined) return fault;
  // Measured last: only what is known to be shallow can be printed without fear.
  return JSON.stringify(schema).length > maxLength ? `longer than ${maxLength} characters` : undefined;
}

function walk(value: unknown, depth: number, seen: Walk): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  seen.nodes += 1;
  if (depth > maxDepth) return `nested deeper than ${maxDepth}`;
  if (seen.nodes > maxNodes) return `more than ${maxNodes} parts`;
  for (const [key, member] of Object.entries(value)) {
    const fault = (referenceKeywords.has(key) && referenceFault(member, seen)) || walk(member, depth + 1, seen);
    if (fault) return fault;
  }
  return undefined;
}

/** A property may be called `$ref` too; then its value is a schema, not a text. */
function referenceFault(target: unknown, seen: Walk): string | undefined {
  if (typeof target !== 'string') return undefined;
  seen.references += 1;
  if (seen.references > maxReferences) return `more than ${maxReferences} references`;
  return target.startsWith('#') ? undefined : 'a $ref may only point into the same schema, with "#"';
}
