import { createHash } from 'node:crypto';
import { type JsonObject, type JsonValue, schemaFault } from '@sallyport/protocol';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { RE2JS } from 're2js';
import { areDistinct, ownKeywords, rewriteSchema } from './rewrite.ts';

/** Checks one value; returns what is wrong with it, at most ten sentences, none of which repeats the value. */
export type Check = (value: JsonValue) => readonly string[];

/** Compiles schemas of foreign origin into checks, once per schema. */
export interface Schemas {
  /** @throws Error when the schema cannot be compiled: it is not valid, or exceeds a bound. Found out once, too. */
  check(schema: JsonObject): Check;
}

/** One check follows at most so many references: far more than any value that makes sense needs. */
const budgetOfCheck = 100_000;
const maxIssues = 10;
const maxCached = 4_096;

/** What is left of the check under way. Checks do not overlap: they are synchronous. */
const budget = { left: 0 };

type Compiled = { readonly check: Check } | { readonly fault: Error };

/**
 * The compiler behind input and output validation. Regular expressions of schemas run in a linear-time engine: a pattern
 * such as `^(a+)+$` would otherwise stop the gateway. References to other documents are refused, never fetched.
 */
export function createSchemas(): Schemas {
  let cache = new WeakMap<JsonObject, Compiled>();
  let compilers = newCompilers();
  let count = 0;

  const compile = (schema: JsonObject): Compiled => {
    // The compilers keep every schema they ever saw; starting afresh keeps them bounded while services come and go.
    if (++count > maxCached) {
      compilers = newCompilers();
      cache = new WeakMap();
      count = 1;
    }
    try {
      const fault = schemaFault(schema);
      if (fault !== undefined) throw new Error(`the schema is not accepted: ${fault}`);
      const compiler = isOldDraft(schema) ? compilers.old : compilers.current;
      return { check: toCheck(compiler.compile({ ...rewriteSchema(schema), $id: `schema:${hash(schema)}` })) };
    } catch (thrown) {
      return { fault: thrown instanceof Error ? thrown : new Error(String(thrown)) };
    }
  };

  return {
    check(schema) {
      const compiled = cache.get(schema) ?? compile(schema);
      cache.set(schema, compiled);
      if ('fault' in compiled) throw compiled.fault;
      return compiled.check;
    },
  };
}

/** Drafts before 2019-09 spell a few keywords differently; what says nothing is 2020-12, as MCP has it. */
function isOldDraft({ $schema }: JsonObject): boolean {
  return typeof $schema === 'string' && /json-schema\.org\/(draft-0[4-7]\/)?schema/.test($schema);
}

function newCompilers(): { readonly current: Ajv; readonly old: Ajv } {
  const options = {
    strict: false,
    allErrors: false,
    ownProperties: true,
    multipleOfPrecision: 6,
    addUsedSchema: false,
    code: { regExp: linearRegExp },
    logger: false,
  } as const;
  return { current: equipped(new Ajv2020(options)), old: equipped(new Ajv(options)) };
}

function equipped(compiler: Ajv): Ajv {
  formats.default(compiler);
  compiler.addKeyword({ keyword: ownKeywords.spend, before: '$ref', validate: spend, errors: false });
  const validate = (_on: boolean, items: readonly JsonValue[]) => areDistinct(items);
  const error = { message: 'must NOT have duplicate items' };
  compiler.addKeyword({ keyword: ownKeywords.distinct, type: 'array', validate, errors: false, error });
  return compiler;
}

function spend(): boolean {
  budget.left -= 1;
  if (budget.left < 0) throw new TooMuchWork();
  return true;
}

class TooMuchWork extends Error {}

function linearRegExp(pattern: string, flags: string): { test: (text: string) => boolean; toString: () => string } {
  const compiled = RE2JS.compile(pattern, flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0);
  // The compiler of schemas keys its patterns by their text: without one of its own, every pattern would be the first.
  return { test: (text) => compiled.matcher(text).find(), toString: () => `/${pattern}/${flags}` };
}
linearRegExp.code = 'linearRegExp';

function toCheck(validate: ValidateFunction): Check {
  return (value) => {
    budget.left = budgetOfCheck;
    try {
      // Only `true` will do: a check that answered later would answer with a promise.
      if (validate(value) === true) return [];
      return (validate.errors ?? []).slice(0, maxIssues).map(sentence);
    } catch (thrown) {
      if (thrown instanceof TooMuchWork) return ['/: takes too much work to check'];
      throw thrown;
    }
  };
}

/** Says where and what, with the names the schema itself uses, but never the caller's value. */
function sentence({ instancePath, message, params, keyword }: ErrorObject): string {
  const where = instancePath === '' ? '/' : instancePath;
  if (keyword === 'additionalProperties') return `${where}: unknown property "${params.additionalProperty}"`;
  if (keyword === 'enum') return `${where}: must be one of ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `${where}: must be ${JSON.stringify(params.allowedValue)}`;
  if (keyword === ownKeywords.distinct) return `${where}: must NOT have duplicate items`;
  return `${where}: ${message ?? 'is not valid'}`;
}

function hash(schema: JsonObject): string {
  return createHash('sha256').update(JSON.stringify(schema)).digest('hex');
}
