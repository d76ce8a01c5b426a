import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { CallError } from '../tool-error.ts';

/** The questions of one call to its caller that have no answer yet. */
export interface Questions {
  /** Waits for the answer. The key it gets is never used again for this call. Throws `CallError` for one too many. */
  ask(method: string, params: object): Promise<JsonObject>;
  /** Takes answers by key. Those of questions that are not open are ignored, and so is what is no answer at all. */
  answer(responses: JsonObject): void;
  /** How many are open. */
  readonly size: number;
  /** All that are open as MCP's `inputRequests`: JSON text. */
  text(): string;
  /** Nobody answers any more. */
  fail(reason: Error): void;
}

interface Open {
  readonly text: string;
  readonly resolve: (answer: JsonObject) => void;
  readonly reject: (reason: Error) => void;
}

/** Over the whole life of a call. */
const maxQuestions = 1_000;
const maxOpen = 32;
const maxTextLength = 128 * 1024;

/** Keeps the questions of a call. `onAsked` hears of each new one. */
export function createQuestions(onAsked: () => void): Questions {
  const open = new Map<string, Open>();
  let asked = 0;
  return {
    ask(method, params) {
      const text = JSON.stringify({ method, params });
      if (asked >= maxQuestions || open.size >= maxOpen || text.length > maxTextLength) throw tooMuch();
      asked += 1;
      const key = `q${asked}`;
      return new Promise((resolve, reject) => {
        open.set(key, { text, resolve, reject });
        onAsked();
      });
    },
    answer(responses) {
      for (const [key, { resolve }] of [...open]) {
        const response = Object.hasOwn(responses, key) ? responses[key] : undefined;
        if (!isObject(response)) continue;
        open.delete(key);
        resolve(response);
      }
    },
    get size() {
      return open.size;
    },
    text: () => `{${[...open].map(([key, { text }]) => `"${key}":${text}`).join(',')}}`,
    fail(reason) {
      for (const { reject } of open.values()) reject(reason);
      open.clear();
    },
  };
}

function tooMuch(): CallError {
  return new CallError('This call has asked its caller too much.', {
    code: 'resource_exhausted',
    reason: 'too_many_questions',
  });
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
