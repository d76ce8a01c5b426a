import type { z } from 'zod';
import { keysAt, type SchemaNode } from './schema-node.ts';
import { type Finding, isSecretKey } from './source.ts';
import { nearest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/**
 * Says what the schema found in the words of whoever writes the file: what is expected, and what was probably meant.
 *
 * @param value what was read.
 * @param schema the schema as JSON Schema, asked for where a key is not known: which are.
 */
export function toFindings(issues: readonly Issue[], value: unknown, schema: () => SchemaNode): readonly Finding[] {
  return issues.flatMap((issue) => fromIssue(issue, { value, schema }));
}

interface Root {
  readonly value: unknown;
  readonly schema: () => SchemaNode;
}

function fromIssue(issue: Issue, root: Root): readonly Finding[] {
  const { path } = issue;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        part: 'key' as const,
        message: unknownKey(key, path, root.schema()),
      }));
    case 'invalid_key':
      return [{ path, part: 'key', message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_union':
      return fromUnion(issue, root);
    default: {
      const found = valueAt(root.value, path);
      const absent = found === undefined && path.length > 0;
      return [absent ? missing(path, issue.message) : wrong(path, issue.message, found)];
    }
  }
}

/** Of a union, only the branch that was meant: the one that got past the outermost type. */
function fromUnion(issue: Extract<Issue, { code: 'invalid_union' }>, root: Root): readonly Finding[] {
  const meant = issue.errors.find((branch) =>
    branch.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
  );
  if (!meant) {
    const found = valueAt(root.value, issue.path);
    return [found === undefined ? missing(issue.path, issue.message) : wrong(issue.path, issue.message, found)];
  }
  return meant.flatMap((inner) => fromIssue({ ...inner, path: [...issue.path, ...inner.path] }, root));
}

function wrong(path: readonly PropertyKey[], expected: string, found: unknown): Finding {
  const wanted = expected.startsWith('Invalid input: expected object') ? 'expected keys and values' : expected;
  const seen = typeof found === 'string' && isSecretKey(path.at(-1)) ? 'text' : describe(found);
  return { path, part: 'value', message: `${dotted(path)}: ${wanted}, found ${seen}` };
}

function missing(path: readonly PropertyKey[], expected: string): Finding {
  return { path, part: 'key', message: `${dotted(path)} is missing: ${expected}` };
}

function unknownKey(key: string, path: readonly PropertyKey[], schema: SchemaNode): string {
  const known = keysAt(schema, path);
  const near = nearest(key, known);
  const where = path.length > 0 ? ` in ${dotted(path)}` : '';
  const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`;
  return `unknown key "${key}"${where}; ${hint}`;
}

/** `['services', 'posts', 'command', 0]` → `services.posts.command[0]`; keys with dots are quoted. */
export function dotted(path: readonly PropertyKey[]): string {
  const text = path
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`;
      return /^[\w-]+$/.test(String(step)) ? `.${String(step)}` : `["${String(step)}"]`;
    })
    .join('');
  return text.replace(/^\./, '') || 'the file';
}

/** Kind of a value, and the value itself only where it cannot be a secret by accident. */
function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys and values';
  if (typeof value === 'string')
    return value.length <= 40 && !value.includes('@') ? JSON.stringify(value) : 'other text';
  return String(value);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}
