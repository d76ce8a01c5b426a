import type { JsonObject } from '@sallyport/protocol';
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';

/** What is wrong with a value, and where. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A value that was checked: what to go on with, or what is wrong. */
export type Checked<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** A schema of a library that implements Standard Schema and Standard JSON Schema: zod 4, arktype, … */
export type LibrarySchema<In = unknown, Out = unknown> = StandardSchemaV1<In, Out> & StandardJSONSchemaV1<In, Out>;

/** A schema written as JSON Schema 2020-12. Without `validate`, values are checked by the JSON Schema itself. */
export interface RawSchema<Value = unknown> {
  readonly jsonSchema: JsonObject;
  readonly validate?: (value: unknown) => Checked<Value> | Promise<Checked<Value>>;
}

/** Every kind of schema that a tool takes. */
export type Schema<In = unknown, Out = unknown> = LibrarySchema<In, Out> | RawSchema<Out>;

/** What comes out of a check: what a handler gets. */
export type OutputOf<S> =
  S extends StandardSchemaV1<infer _In, infer Out> ? Out : S extends RawSchema<infer Value> ? Value : never;

/** What goes into a check: what a handler returns. */
export type InputOf<S> =
  S extends StandardSchemaV1<infer In, infer _Out> ? In : S extends RawSchema<infer Value> ? Value : never;

/** A schema made ready: its JSON Schema, generated once, and its check. */
export interface CompiledSchema {
  readonly jsonSchema: JsonObject;
  /** Answers at once where the library can. */
  check(value: unknown): Checked<unknown> | Promise<Checked<unknown>>;
}

/**
 * Generates the JSON Schema and finds the check. `side` is which end of a transforming schema travels: callers write the
 * `input` of a tool's input and read the `output` of its output. Throws when there is no JSON Schema for it, or it is not
 * an object's: MCP allows nothing else.
 */
export async function compileSchema(schema: Schema, side: 'input' | 'output'): Promise<CompiledSchema> {
  if (!isLibrarySchema(schema)) {
    const jsonSchema = asObjectSchema(schema.jsonSchema);
    return { jsonSchema, check: schema.validate ?? (await jsonSchemaCheck(jsonSchema)) };
  }
  const standard = schema['~standard'];
  if (!hasJsonSchema(standard)) {
    throw new TypeError(`${standard.vendor} gives no JSON Schema for it; pass { jsonSchema, validate } instead`);
  }
  // The specification types what it returns more loosely than JSON; a library that returns more is broken.
  const generated = standard.jsonSchema[side]({ target: 'draft-2020-12' }) as JsonObject;
  return { jsonSchema: asObjectSchema(generated), check: (value) => standard.validate(value) };
}

/** Writes issues for a caller: `/title: too short; /tags/0: …`, with JSON pointers. At most ten. */
export function describeIssues(issues: readonly SchemaIssue[]): string {
  const shown = issues.slice(0, 10).map(({ message, path }) => `${pointer(path)}: ${message}`);
  return issues.length > 10 ? `${shown.join('; ')}; and ${issues.length - 10} more` : shown.join('; ');
}

function isLibrarySchema(schema: Schema): schema is LibrarySchema {
  // Not only objects: arktype's schemas are functions.
  return '~standard' in schema;
}

/** A library of before Standard JSON Schema, from a caller without types. */
function hasJsonSchema(standard: object): boolean {
  return 'jsonSchema' in standard;
}

function asObjectSchema(schema: JsonObject): JsonObject {
  if (schema.type === 'object') return schema;
  if (schema.type === undefined) return { type: 'object', ...schema };
  throw new TypeError(`it must describe an object, not ${JSON.stringify(schema.type)}: put the value in a member`);
}

async function jsonSchemaCheck(schema: JsonObject): Promise<CompiledSchema['check']> {
  // Imported only by services that need it: it is a megabyte of validator.
  const { AjvJsonSchemaValidator } = await import('@modelcontextprotocol/server/validators/ajv');
  const validate = new AjvJsonSchemaValidator().getValidator({ ...schema });
  return (value) => {
    const result = validate(value);
    return result.valid ? { value } : { issues: [{ message: result.errorMessage }] };
  };
}

function pointer(path: SchemaIssue['path']): string {
  if (path === undefined || path.length === 0) return '/';
  const keys = path.map((part) => (typeof part === 'object' ? part.key : part));
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
