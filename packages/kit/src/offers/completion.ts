import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { resultOf, toldError } from '../answer.ts';
import type { Work } from '../running-call.ts';
import { guarded } from './guard.ts';
import type { Complete } from './options.ts';

/** What can be completed, by the name of the argument or variable. */
export type Completions = ReadonlyMap<string, Complete>;

/** As many as MCP allows. */
const maxValues = 100;

/** Answers `completion/complete`. What has no completion has no values: that is no error. */
export function runCompletion(completions: Completions): Work {
  return (args, context) =>
    guarded(context, async () => {
      const { argument, context: filled } = args as { readonly argument?: JsonValue; readonly context?: JsonValue };
      if (!isObject(argument) || typeof argument.name !== 'string' || typeof argument.value !== 'string') {
        return toldError('invalid_argument', 'argument: a name and a value are needed.');
      }
      const complete = completions.get(argument.name);
      const { principal, signal } = context;
      const before = isObject(filled) && isObject(filled.arguments) ? texts(filled.arguments) : {};
      const values =
        complete === undefined ? [] : await complete(argument.value, { arguments: before, principal, signal });
      const completion = {
        values: values.slice(0, maxValues),
        total: values.length,
        hasMore: values.length > maxValues,
      };
      return resultOf(JSON.stringify({ completion }));
    });
}

function texts(values: JsonObject): Record<string, string> {
  const entries = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(entries);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
