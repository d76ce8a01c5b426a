/** The part of JSON Schema that this project's own schema uses. */
export interface SchemaNode {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** The keys that may stand in the object at `path`; empty when any may, or when there is no object. */
export function keysAt(root: SchemaNode, path: readonly PropertyKey[]): readonly string[] {
  let nodes: readonly SchemaNode[] = branches(root);
  for (const step of path) nodes = nodes.flatMap((node) => child(node, step)).flatMap(branches);
  return nodes.flatMap((node) => Object.keys(node.properties ?? {}));
}

function branches(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf ?? [node];
}

function child(node: SchemaNode, step: PropertyKey): readonly SchemaNode[] {
  if (typeof step === 'number') return node.items ? [node.items] : [];
  const named = Object.hasOwn(node.properties ?? {}, step) ? node.properties?.[String(step)] : undefined;
  if (named) return [named];
  return typeof node.additionalProperties === 'object' ? [node.additionalProperties] : [];
}
