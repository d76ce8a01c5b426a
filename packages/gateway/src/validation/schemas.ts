import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { RE2JS } from 're2js';

/** Checks one value; returns what is wrong with it, at most ten sentences, none of which repeats the value. */
export type Check = (value: JsonValue) => readonly string[];

/** Compiles schemas of foreign origin into checks, once per schema. */
export interface Schemas {
  /** @throws Error when the schema cannot be compiled: it is not valid JSON Schema 2020-12, or exceeds a bound. */
  check(schema: JsonObject): Check;
}

const maxSchemaBytes = 256 * 1024;
const maxSchemaDepth = 64;
const maxReferences = 256;
const maxIssues = 10;
const maxCached = 4_096;

/**
 * The compiler behind input and output validation. Regular expressions of schemas run in a linear-time engine: a pattern
 * such as `^(a+)+$` would otherwise stop the gateway. References to other documents are refused, never fetched.
 */
export function createSchemas(): Schemas {
  let cache = new WeakMap<JsonObject, Check>();
  let ajv = newCompiler();
  let compiled = 0;
  return {
    check(schema) {
      const known = cache.get(schema);
      if (known) return known;
      admit(schema);
      // The compiler keeps every schema it ever saw; starting afresh keeps it bounded while services come and go.
      if (++compiled > maxCached) {
        ajv = newCompiler();
        cache = new WeakMap();
        compiled = 1;
      }
      const check = toCheck(ajv.compile({ ...schema, $id: `schema:${hash(schema)}` }));
      cache.set(schema, check);
      return check;
    },
  };
}

function newCompiler(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: false,
    allErrors: false,
    ownProperties: true,
    multipleOfPrecision: 6,
    addUsedSchema: false,
    code: { regExp: linearRegExp },
    logger: false,
  });
  formats.default(ajv);
  return ajv;
}

function linearRegExp(pattern: string, flags: string): { test: (text: string) => boolean; toString: () => string } {
  const compiled = RE2JS.compile(pattern, flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0);
  // The compiler of schemas keys its patterns by their text: without one of its own, every pattern would be the first.
  return { test: (text) => compiled.matcher(text).find(), toString: () => `/${pattern}/${flags}` };
}
linearRegExp.code = 'linearRegExp';

function toCheck(validate: ValidateFunction): Check {
  return (value) => {
    if (validate(value)) return [];
    return (validate.errors ?? []).slice(0, maxIssues).map(sentence);
  };
}

/** Says where and what, with the names the schema itself uses, but never the caller's value. */
function sentence({ instancePath, message, params, keyword }: ErrorObject): string {
  const where = instancePath === '' ? '/' : instancePath;
  if (keyword === 'additionalProperties') return `${where}: unknown property "${params.additionalProperty}"`;
  if (keyword === 'enum') return `${where}: must be one of ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `${where}: must be ${JSON.stringify(params.allowedValue)}`;
  return `${where}: ${message ?? 'is not valid'}`;
}

/** Bounds before compiling: a compiler must not be the first to meet a hostile schema. */
function admit(schema: JsonObject): void {
  if (JSON.stringify(schema).length > maxSchemaBytes) throw new Error(`schema is larger than ${maxSchemaBytes} bytes`);
  const references = referencesIn(schema, 0);
  if (references > maxReferences) throw new Error(`schema has more than ${maxReferences} references`);
}

function referencesIn(value: JsonValue, depth: number): number {
  if (depth > maxSchemaDepth) throw new Error(`schema is nested deeper than ${maxSchemaDepth}`);
  if (value === null || typeof value !== 'object') return 0;
  return Object.entries(value).reduce(
    (sum, [key, inner]) => sum + referenceAt(key, inner) + referencesIn(inner, depth + 1),
    0,
  );
}

function referenceAt(key: string, value: JsonValue): number {
  if ((key !== '$ref' && key !== '$dynamicRef') || typeof value !== 'string') return 0;
  if (!value.startsWith('#')) throw new Error(`schema refers to another document: ${value}`);
  return 1;
}

function hash(schema: JsonObject): string {
  return createHash('sha256').update(JSON.stringify(schema)).digest('hex');
}
