import { type Code, GatewayError, type Presented } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { type Driver, defaultTimeoutMs, type Listable, mask, noAnswer, notHere, type Seen } from './driver.ts';

type Caller =
  | { readonly token: string; readonly presented?: never }
  | { readonly presented: Presented; readonly token?: never };

/** What it answers. */
export interface EmbeddedAnswer {
  readonly result: JsonValue;
  readonly isError: boolean;
  readonly code?: Code;
  readonly question?: string;
}

/** What it lists, by the name that rules go by. */
interface Named {
  readonly name: string;
}

/** A gateway inside the process, as far as a driver needs it; the gateway package's `createGateway` is one. */
export interface EmbeddedGateway {
  call(
    call: Caller & {
      readonly tool: string;
      readonly input?: JsonObject;
      readonly signal?: AbortSignal;
    },
  ): Promise<EmbeddedAnswer>;
  getPrompt(
    prompt: Caller & {
      readonly prompt: string;
      readonly arguments?: Readonly<Record<string, string>>;
      readonly signal?: AbortSignal;
    },
  ): Promise<EmbeddedAnswer>;
  readResource(read: Caller & { readonly uri: string; readonly signal?: AbortSignal }): Promise<EmbeddedAnswer>;
  listTools(caller: Caller): Promise<readonly Named[]>;
  listPrompts(caller: Caller): Promise<readonly Named[]>;
  listResources(caller: Caller): Promise<readonly Named[]>;
}

/** Calls a gateway as a function. It takes values: arguments given as text are parsed first, and have to be JSON. */
export function embedded(gateway: EmbeddedGateway, token?: string): Driver {
  const caller: Caller = token === undefined ? { presented: { kind: 'none' } } : { token };
  return {
    name: 'embedded',
    takesText: false,
    list: async (what = 'tools') => (what === 'templates' ? notHere() : seen(listOf(gateway, caller, what))),
    call(tool, args, { signal } = {}) {
      const input = typeof args === 'string' ? (JSON.parse(args) as JsonObject) : args;
      const call = { ...caller, tool, ...(input && { input }), ...(signal && { signal }) };
      return seen(gateway.call(call).then(outcomeOf));
    },
    ask(method, params = {}, { signal } = {}) {
      const common = { ...caller, ...(signal && { signal }) };
      const { name, uri } = params;
      if (method === 'prompts/get') {
        const args = params.arguments as Readonly<Record<string, string>> | undefined;
        const prompt = { ...common, prompt: String(name), ...(args && { arguments: args }) };
        return seen(gateway.getPrompt(prompt).then(outcomeOf));
      }
      if (method !== 'resources/read') return Promise.resolve(notHere());
      return seen(gateway.readResource({ ...common, uri: String(uri) }).then(outcomeOf));
    },
    raw: async () => noAnswer('there is no wire to send text on'),
    close: async () => undefined,
  };
}

async function listOf(
  gateway: EmbeddedGateway,
  caller: Caller,
  what: Exclude<Listable, 'templates'>,
): Promise<Omit<Seen, 'bytes'>> {
  const lists = { tools: gateway.listTools, prompts: gateway.listPrompts, resources: gateway.listResources };
  const targets = await lists[what](caller);
  return { kind: 'answered', result: targets.map(({ name }) => nameAsked(name)) };
}

/** What a target is asked for by where everything is offered, from the name that rules go by. */
function nameAsked(name: string): string {
  const [, service = '', kind = '', own = ''] = /^([^./]+)\.(prompts|resources)\/(.*)$/s.exec(name) ?? [];
  return kind === '' ? name : `${service}${kind === 'prompts' ? '.' : '+'}${own}`;
}

function outcomeOf({ result, isError, code, question }: EmbeddedAnswer): Omit<Seen, 'bytes'> {
  return {
    kind: isError ? 'tool_error' : 'answered',
    ...(code !== undefined && { code }),
    ...(question !== undefined && { reason: 'suspended' }),
    result,
  };
}

function seen(work: Promise<Omit<Seen, 'bytes'>>): Promise<Seen> {
  return bounded(work).then((outcome) => ({ ...outcome, bytes: mask(JSON.stringify(outcome)) }), refusalOf);
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
