import { createHash } from 'node:crypto';
import {
  type Answer,
  GatewayError,
  type JsonText,
  type Permit,
  type Principal,
  principalKey,
  type Retry,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, spliceMembers } from '@sallyport/protocol';

/** Seals what leaves the gateway to come back: nobody else can read, change or make it. */
export interface Sealer {
  seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
  /** The claims; `undefined` for whatever was not sealed here, is too old, or was sealed as another kind. */
  open(kind: string, text: string): JsonObject | undefined;
}

/** What sealing needs. */
export interface SealingOptions {
  readonly sealer: Sealer;
  readonly nowMs: () => number;
  /** Names this gateway among those that share a key: a parked call lives in one of them. */
  readonly gatewayId: string;
}

/**
 * Binds what services hand to callers to be brought back: the state of a question to its caller, target and arguments, the
 * id of a task to its caller and tool. Services see only what they made themselves.
 */
export interface Sealing {
  /** Puts sealed handles in the place of the service's own. */
  outgoing(permit: Permit, answer: Answer): Answer;
  /** Seals a state of the gateway's own, bound like those of services and good until then, in milliseconds since the epoch. */
  ownState(permit: Permit, state: string, expiresAtMs: number): string;
  /** The service's own state again, or the gateway's. @throws GatewayError when it was given to somebody else, or for another call. */
  incoming(permit: Permit): Retry | undefined;
  /** The service's own id of the task that a call is about. @throws GatewayError `unknown_task` */
  taskOf(permit: Permit): string;
  /** The tool that made a task and the service's own id of it, if it was made for this principal. */
  openTask(principal: Principal, taskId: string): { readonly tool: string; readonly taskId: string } | undefined;
}

/** What a parked call's state begins with: it can be taken up again only where it is parked. */
export const parkedPrefix = 'parked:';

/** What is sealed: for how long it is good, and how long it may be. The id of a task travels in a header. */
const kinds = {
  state: { lifeMs: 15 * 60_000, maxBytes: 512 * 1024 },
  task: { lifeMs: 7 * 86_400_000, maxBytes: 6 * 1024 },
} as const;

type Kind = keyof typeof kinds;

/** Makes the sealing of one gateway. */
export function createSealing({ sealer, nowMs, gatewayId }: SealingOptions): Sealing {
  const seal = (kind: Kind, claims: JsonObject): string => {
    const { lifeMs, maxBytes } = kinds[kind];
    if (Buffer.byteLength(JSON.stringify(claims)) > maxBytes) {
      throw new GatewayError('upstream_failed', {}, { cause: `its ${kind} is too long` });
    }
    return sealer.seal(kind, claims, nowMs() + lifeMs);
  };
  const bound = (permit: Permit, state: string): JsonObject => ({ ...bindingOf(permit), gateway: gatewayId, state });
  const sealState = (permit: Permit, state: string): string => seal('state', bound(permit, state));
  const openTask: Sealing['openTask'] = (principal, text) => {
    const { owner, tool, taskId } = sealer.open('task', text) ?? {};
    if (owner !== ownerOf(principal) || typeof tool !== 'string' || typeof taskId !== 'string') return undefined;
    return { tool, taskId };
  };

  return {
    outgoing(permit, answer) {
      if (answer.shape === 'error') return answer;
      if (answer.resultType === 'input_required') {
        const { requestState } = parse(answer.text);
        if (typeof requestState !== 'string') return answer;
        return withMember(answer, 'requestState', sealState(permit, requestState));
      }
      if (permit.method.startsWith('tasks/')) return withTask(answer, String(parse(permit.argumentsText).taskId));
      if (answer.resultType !== 'task') return answer;
      const { taskId } = parse(answer.text);
      const claims = { owner: ownerOf(permit.principal), tool: permit.target.name, taskId: String(taskId) };
      return withTask(answer, seal('task', claims));
    },
    ownState: (permit, state, expiresAtMs) => sealer.seal('state', bound(permit, state), expiresAtMs),
    incoming({ retry, ...permit }) {
      if (retry?.requestState === undefined) return retry;
      const opened = sealer.open('state', retry.requestState);
      const { gateway, state, ...binding } = opened ?? {};
      if (typeof state !== 'string' || !isSame(binding, bindingOf(permit))) throw new GatewayError('state_invalid');
      if (state.startsWith(parkedPrefix) && gateway !== gatewayId) throw new GatewayError('parked_elsewhere');
      return { ...retry, requestState: state };
    },
    taskOf({ principal, target, argumentsText }) {
      const opened = openTask(principal, String(parse(argumentsText).taskId));
      if (opened?.tool !== target.name) throw new GatewayError('unknown_task');
      return opened.taskId;
    },
    openTask,
  };
}

type Bound = Pick<Permit, 'principal' | 'target' | 'method' | 'argumentsText'>;

/** The call that a state belongs to: who, what, and with which arguments. */
function bindingOf({ principal, target, method, argumentsText }: Bound): Readonly<Record<string, string>> {
  const args = createHash('sha256').update(argumentsText).digest('base64url');
  return { owner: ownerOf(principal), service: target.service, target: target.name, method, args };
}

function isSame(one: JsonObject, other: Readonly<Record<string, string>>): boolean {
  return Object.entries(other).every(([key, value]) => one[key] === value);
}

function ownerOf(principal: Principal): string {
  return createHash('sha256').update(principalKey(principal)).digest('base64url');
}

function withTask(answer: Answer, taskId: string): Answer {
  return typeof parse(answer.text).taskId === 'string' ? withMember(answer, 'taskId', taskId) : answer;
}

function withMember(answer: Answer, name: string, value: string): Answer {
  return { ...answer, text: spliceMembers(answer.text, { [name]: JSON.stringify(value) }) as JsonText };
}

function parse(text: string): JsonObject {
  const value = JSON.parse(text) as JsonValue;
  return isJsonObject(value) ? value : {};
}
