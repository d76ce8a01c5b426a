import { type Code, GatewayError, type Presented } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { type Driver, defaultTimeoutMs, mask, noAnswer, type Seen } from './driver.ts';

type Caller =
  | { readonly token: string; readonly presented?: never }
  | { readonly presented: Presented; readonly token?: never };

/** A gateway inside the process, as far as a driver needs it; the gateway package's `createGateway` is one. */
export interface EmbeddedGateway {
  call(
    call: Caller & {
      readonly tool: string;
      readonly input?: JsonObject;
      readonly signal?: AbortSignal;
    },
  ): Promise<{
    readonly result: JsonValue;
    readonly isError: boolean;
    readonly code?: Code;
    readonly question?: string;
  }>;
  listTools(caller: Caller): Promise<readonly { readonly name: string }[]>;
}

/** Calls a gateway as a function. It takes values: arguments given as text are parsed first, and have to be JSON. */
export function embedded(gateway: EmbeddedGateway, token?: string): Driver {
  const caller: Caller = token === undefined ? { presented: { kind: 'none' } } : { token };
  const seen = (work: Promise<Omit<Seen, 'bytes'>>): Promise<Seen> =>
    bounded(work).then((outcome) => ({ ...outcome, bytes: mask(JSON.stringify(outcome)) }), refusalOf);
  return {
    name: 'embedded',
    takesText: false,
    list: () =>
      seen(gateway.listTools(caller).then((tools) => ({ kind: 'answered', result: tools.map(({ name }) => name) }))),
    call(tool, args, options = {}) {
      const input = typeof args === 'string' ? (JSON.parse(args) as JsonObject) : args;
      const { signal } = options;
      const answer = gateway.call({ ...caller, tool, ...(input && { input }), ...(signal && { signal }) });
      return seen(
        answer.then(({ result, isError, code, question }) => ({
          kind: isError ? 'tool_error' : 'answered',
          ...(code !== undefined && { code }),
          ...(question !== undefined && { reason: 'suspended' }),
          result,
        })),
      );
    },
    raw: async () => noAnswer('there is no wire to send text on'),
    close: async () => undefined,
  };
}

function bounded<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), defaultTimeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function refusalOf(thrown: unknown): Seen {
  if (!(thrown instanceof GatewayError)) return noAnswer(String(thrown));
  const { code, reason, message, details } = thrown;
  const { scopes } = details;
  const facts = { kind: 'refused', code, reason, ...(scopes && { scopes }), result: message } as const;
  return { ...facts, bytes: mask(JSON.stringify({ ...facts, details })) };
}
