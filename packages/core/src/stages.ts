import type { AuditRecord } from './audit-record.ts';
import type { AnyRequest, Call, Input, InvokeRequest, JsonText } from './call.ts';
import type { AccessRequest, Decision } from './decision.ts';
import type { GatewayError } from './error.ts';
import type { Observation } from './observation.ts';
import type { Answer, Suspended } from './outcome.ts';
import type { Permit } from './permit.ts';
import type { Hold } from './ports/hold.ts';
import type { Cleaned } from './ports/output-filter.ts';
import type { Topic } from './ports/registry.ts';
import type { Hop, OutboundCredential } from './ports/upstream.ts';
import type { Principal } from './principal.ts';
import type { Endpoint, ListChanges, Target, View } from './tool.ts';

type Awaitable<T> = T | Promise<T>;

/**
 * The stages of the one path, as functions. Each learns one thing or refuses by throwing a `GatewayError`; none sees
 * more than its parameters. The gateway builds one of these from its kinds; the order is the pipeline's, not theirs.
 */
export interface Stages {
  /** Size, Host, Origin and floods, before anybody is known. */
  readonly admit: (call: Call) => Awaitable<void>;
  readonly authenticate: (call: Call) => Awaitable<Principal>;
  /** What this principal may know of at an endpoint. Argument-free, so it can be cached. */
  readonly view: (principal: Principal, endpoint: Endpoint) => Awaitable<View>;
  /** The name of the tool that made a task, from the id that its caller was given. Undefined for ids of anybody else. */
  readonly toolOfTask: (principal: Principal, taskId: string) => string | undefined;
  /** Scopes and containment. Returns the refusal, so that lists and calls ask the same question. */
  readonly entitle: (principal: Principal, target: Target) => GatewayError | undefined;
  /** Whether nothing at all is left for this principal to be told. Absent: there always is something. */
  readonly isContained?: (principal: Principal) => boolean;
  readonly rate: (call: Call, principal: Principal, target: Target) => Awaitable<void>;
  /** Charges a refusal at `resolve` or `entitle` to a budget of its own; returns what to refuse with. */
  readonly rateDenied: (principal: Principal, refusal: GatewayError) => Awaitable<GatewayError>;
  readonly validate: (call: Call<InvokeRequest>, target: Target) => Awaitable<Input>;
  /** Adds to a request what the gateway knows. Absent: nothing. */
  readonly enrich?: (request: AccessRequest) => Awaitable<AccessRequest>;
  readonly authorize: (request: AccessRequest) => Awaitable<Decision>;
  readonly approve: (permit: Permit, request: AccessRequest) => Awaitable<Suspended | Hold>;
  readonly budget: (permit: Permit) => Awaitable<Hold>;
  readonly credential: (permit: Permit) => Awaitable<OutboundCredential>;
  readonly dispatch: (permit: Permit, hop: Hop) => Promise<Answer>;
  /** Takes away from an answer what may not leave; never adds. */
  readonly filter: (permit: Permit, answer: Answer) => Awaitable<Answer>;
  /** The same for what a service says while it works. Absent: nothing is taken away. */
  readonly filterNotification?: (target: Target, text: JsonText) => Cleaned;
  /** Resolves when the record is as durable as it must be for the answer to be sent. */
  readonly record: (record: AuditRecord) => Promise<void>;
  /** Watches a call from its beginning. Absent, and undefined: nobody does. Never throws. */
  readonly observe?: (call: Call) => Observation | undefined;
  /** Tells the listener of every change of the catalog, until the returned function is called. */
  readonly onCatalogChange: (listener: (changes: ListChanges) => void) => () => void;
  /** Tells when policies changed, so that lists may have. Absent: they do not change. */
  readonly onPoliciesChange?: (listener: () => void) => () => void;
  /** Says when it is time to look whether those who are told of changes may still be, until the returned function is called. */
  readonly onRecheck?: (listener: () => void) => () => void;
  /** Tells of one resource, or of one task of this principal's, until the returned function is called; `undefined`: nobody tells of it. */
  readonly watch: (
    watched: { readonly principal: Principal; readonly target: Target; readonly topic: Topic },
    onEvent: (paramsText: JsonText) => void,
  ) => (() => void) | undefined;
  readonly nowMs: () => number;
}

/** Which requests a pipeline function takes. */
export type CallOf<Verb extends AnyRequest['verb']> = Call<Extract<AnyRequest, { verb: Verb }>>;
