/**
 * What can be blocked. `principal`: a subject, in whatever tenant; `account`: `<tenant>/<subject>`; `agent`: who calls for itself
 * as an agent, or anywhere in the chain of those who act for somebody; `agent-class`: `kind:agent`, `agent:support-*`,
 * `client:…`, `app:…`, `tenant:…`; `tool`: a name or pattern; `upstream`: a service; `class`: `<tools>@<agents>`, such as
 * `destructive@kind:agent`.
 */
export const containedKinds = [
  'principal',
  'account',
  'tenant',
  'client',
  'agent',
  'agent-class',
  'tool',
  'upstream',
  'class',
] as const;

/** One word of the list above. */
export type ContainedKind = (typeof containedKinds)[number];

/** An operator's order that something is blocked from now on. */
export interface NewContainment {
  /** `ctn_` and 16 letters and digits. */
  readonly id: string;
  readonly kind: ContainedKind;
  readonly value: string;
  /** For people; never told to the caller. */
  readonly reason?: string;
  /** Who ordered it, as records name them. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** It ends by itself then. Absent: it stands until it is lifted. */
  readonly expiresAtMs?: number;
}

/** The same as it is stored. */
export interface StoredContainment extends NewContainment {
  /** Absent: it stands, or ended by its own time. */
  readonly lifted?: { readonly by: string; readonly atMs: number };
}

/** What is contained, shared by all processes that have the same store open. */
export interface Containments {
  /** @throws GatewayError `conflict` when the id is taken. */
  add(containment: NewContainment): Promise<void>;
  /**
   * Ends one, atomically: of several who lift it one gets it, the others `undefined`, as for one that is not there or whose own
   * time has come.
   */
  lift(id: string, lifted: { readonly by: string; readonly atMs: number }): Promise<StoredContainment | undefined>;
  /** Those that stand at that time, oldest first. */
  standing(nowMs: number): Promise<readonly StoredContainment[]>;
  /** All that are remembered, newest first. */
  list(limit: number): Promise<readonly StoredContainment[]>;
  /** Forgets what ended before that time; returns how many. */
  prune(beforeMs: number): Promise<number>;
}
