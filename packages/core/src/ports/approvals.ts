import type { CallId, CancelSignal, JsonText, ServiceMethod } from '../call.ts';
import type { Risk } from '../decision.ts';
import type { Actor } from '../principal.ts';
import type { Fate } from './hold.ts';

/**
 * Where an approval stands.
 *
 * `pending`: people are asked. `granted`: enough of them agreed; one call may go by it. `reserved`: a call goes by it; if the
 * process dies now it stays so, which is as good as spent. `asked`: that call came back with a question of the service, and the
 * answer to it may go by it, too. `spent`, `rejected`, `withdrawn` (what it was for has changed) and `expired` are the ends.
 */
export type ApprovalState =
  | 'pending'
  | 'granted'
  | 'reserved'
  | 'asked'
  | 'spent'
  | 'rejected'
  | 'withdrawn'
  | 'expired';

/** So many different people with this scope have to agree, none of whom asked. */
export interface ApproversNeed {
  readonly scope: string;
  readonly approvals: number;
}

/** The person on whose behalf it is asked for has to agree, and nobody else can. */
export interface ConsentNeed {
  readonly by: 'subject';
}

/** What has to be said before a call may go by an approval. */
export type ApprovalNeed = ApproversNeed | ConsentNeed;

/** Who asked, as far as an approval is bound to it. None of them may approve; the subject alone may consent. */
export interface ApprovalRequester {
  readonly subject: string;
  readonly actor?: Actor;
  readonly client: string;
  readonly tenant?: string;
  readonly app?: string;
  /** The id of the intent that the call was made under. */
  readonly intent?: string;
}

/** What an approval is for, and for nothing else. Holds nothing confidential. */
export interface ApprovalBinding {
  readonly requester: ApprovalRequester;
  /** The target's name. */
  readonly tool: string;
  readonly service: string;
  readonly method: ServiceMethod;
  /** HMAC-SHA-256 of the canonical arguments, hex: equal ones are recognised, others not guessed at. */
  readonly argumentsHash: string;
  readonly definitionHash: string;
  readonly policyRevision: string;
  /** Every one of them has to be met; one person counts for all whose scope it has. */
  readonly needs: readonly ApprovalNeed[];
}

/** What people decide by: confidential, so it is stored sealed. */
export interface ApprovalContext {
  readonly argumentsText: JsonText;
  /** Other members of the params that would leave. */
  readonly restText?: JsonText;
  readonly kind: string;
  readonly title?: string;
  readonly description: string;
  readonly version: string;
  readonly sideEffect: string;
  readonly classification: string;
  readonly owner: string;
  /** What the policies say of why they ask. */
  readonly why: readonly string[];
  readonly environment?: string;
  readonly risk?: Risk;
  readonly transport?: string;
  readonly messageDigest?: string;
  /** Of the intent. */
  readonly purpose?: string;
}

/** A request for an approval. */
export interface NewApproval {
  /** `apr_` and 16 characters. */
  readonly id: string;
  readonly binding: ApprovalBinding;
  /** Equal for bindings that are equal but for their needs, and for those alone. */
  readonly key: string;
  /** Equal for the same call by the same requester, whatever the definition, the policies and their needs are. */
  readonly callKey: string;
  /** Whose share of pending ones it counts in (`accountKey`). */
  readonly account: string;
  /** Ids of the policies that want it. */
  readonly policies: readonly string[];
  /** The call that asked first. */
  readonly callId: CallId;
  /** An `ApprovalContext`, sealed. */
  readonly sealed: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/** What one person said. */
export interface ApprovalVote {
  /** Tells people apart (`accountKey`). */
  readonly voter: string;
  /** As records name it. */
  readonly subject: string;
  readonly verdict: 'approve' | 'reject';
  /** The needed scopes that it has; none where it consents. */
  readonly scopes: readonly string[];
  /** It is the subject of the call, and says whether that is to be done on its behalf: it counts for that need alone. */
  readonly consents?: boolean;
  /** Sealed. */
  readonly reason?: string;
  /** Whether the caller is told the reason of a rejection. */
  readonly isPublic?: boolean;
  readonly atMs: number;
}

/** An approval as it is stored. */
export interface Approval extends NewApproval {
  readonly state: ApprovalState;
  readonly votes: readonly ApprovalVote[];
  /** When the state was reached, in milliseconds since the epoch. */
  readonly changedAtMs: number;
}

/** Under which circumstances an approval is asked for. */
export interface ApprovalTerms {
  readonly nowMs: number;
  /** The call brings the answer to a question of the service's. */
  readonly goesOn: boolean;
  /** Requests of one account that may be pending at a time, in all and for one tool. */
  readonly maxPending: number;
  readonly maxPendingPerTool: number;
}

/**
 * What came of asking: the approval there is now and whether this request made it so, or that there are too many. One that is
 * `granted` (or `asked`, if the call goes on) may be reserved; `rejected`, `withdrawn` and `expired` refuse this call.
 */
export type ApprovalAsked =
  | { readonly kind: 'approval'; readonly approval: Approval; readonly isNew: boolean }
  | { readonly kind: 'exhausted' };

/** What came of a vote: `again`: this person had said so before. `over`: it is decided, or there was no time left. */
export type ApprovalVoted =
  | { readonly kind: 'counted' | 'again' | 'over'; readonly approval: Approval }
  | { readonly kind: 'unknown' };

/** Which approvals to list, newest first. */
export interface ApprovalFilter {
  readonly states?: readonly ApprovalState[];
  /** Those of requesters of this tenant only. */
  readonly tenant?: string;
  /** Those that count in this account's share only (`accountKey`): asked for by it, or on its behalf. */
  readonly account?: string;
  readonly limit: number;
}

/**
 * Approvals that people give for single calls, shared by all processes that have the same store open. Each operation is
 * atomic: of two processes that reserve the same approval, one does.
 */
export interface Approvals {
  /**
   * Finds the approval for a call, or asks for it. What is there for the same call with another definition, other policies or
   * less than is needed now is withdrawn, and its withdrawal is what came of asking; so is, once, that an earlier request expired. A
   * rejection stands until the request would have expired.
   */
  request(wanted: NewApproval, terms: ApprovalTerms): Promise<ApprovalAsked>;
  /**
   * Counts a vote. Approving is for pending ones and counts once per person; when every need is met it is granted. Rejecting
   * is for pending and granted ones, whatever the same person said before, and one is enough.
   */
  vote(id: string, vote: ApprovalVote): Promise<ApprovalVoted>;
  /** Takes a `granted` approval for one call, or an `asked` one if the call goes on. True for exactly one caller. */
  reserve(id: string, when: { readonly nowMs: number; readonly goesOn: boolean }): Promise<boolean>;
  /** Says what became of the call it was reserved for: `unsent` puts it back as it was. */
  settle(id: string, fate: Fate, nowMs: number): Promise<void>;
  /** Ends one that nobody goes by yet. `undefined`: there is none such. */
  withdraw(id: string, nowMs: number): Promise<Approval | undefined>;
  /** Ends those whose time is over and that nobody goes by. Returns the ones that this call ended. */
  expire(nowMs: number): Promise<readonly Approval[]>;
  look(id: string): Promise<Approval | undefined>;
  list(filter: ApprovalFilter): Promise<readonly Approval[]>;
  /** Forgets those that ended, or were reserved, before that time; returns how many. */
  prune(beforeMs: number): Promise<number>;
}

/** Something that happened to an approval. */
export interface ApprovalEvent {
  readonly kind: 'requested' | 'voted' | 'granted' | 'rejected' | 'withdrawn' | 'expired';
  /** As it is now. */
  readonly approval: Approval;
  /** Opens what people decide by. `undefined`: it cannot be opened with the keys of this gateway. */
  readonly context: () => ApprovalContext | undefined;
}

/** Tells people, or programs of theirs, of approvals. */
export interface ApprovalChannel {
  /** As policies and logs name it. */
  readonly name: string;
  /** Never waited for by a call; what it throws is logged. */
  tell(event: ApprovalEvent, signal: CancelSignal): void | Promise<void>;
}

/** For so long after it came to nothing, whoever asks for the same call again is told so once, in milliseconds. */
export const approvalNewsMs = 3_600_000;

/** What a vote makes of an approval. Every store counts by this, inside of its atomic operation. */
export function countVote(approval: Approval, vote: ApprovalVote): Exclude<ApprovalVoted, { kind: 'unknown' }> {
  const { state, needs, expiresAtMs } = { ...approval, ...approval.binding };
  const isOpen = state === 'pending' || (state === 'granted' && vote.verdict === 'reject');
  if (!isOpen || !(vote.atMs < expiresAtMs)) return { kind: 'over', approval };
  const earlier = approval.votes.find(({ voter }) => voter === vote.voter);
  if (earlier?.verdict === vote.verdict) return { kind: 'again', approval };
  const votes = [...approval.votes.filter((one) => one !== earlier), vote];
  const next = stateAfter(vote, needs, votes);
  const changedAtMs = next === state ? approval.changedAtMs : vote.atMs;
  return { kind: 'counted', approval: { ...approval, votes, state: next, changedAtMs } };
}

function stateAfter(
  { verdict }: ApprovalVote,
  needs: readonly ApprovalNeed[],
  votes: readonly ApprovalVote[],
): ApprovalState {
  if (verdict === 'reject') return 'rejected';
  // What nobody needs to agree to is not approved by nobody.
  const isMet = needs.length > 0 && needs.every((need) => agreed(need, votes) >= peopleFor(need));
  return isMet ? 'granted' : 'pending';
}

/** How many people a need takes. */
export function peopleFor(need: ApprovalNeed): number {
  return 'by' in need ? 1 : need.approvals;
}

/** How many people who count for a need have agreed. */
export function agreed(need: ApprovalNeed, votes: readonly ApprovalVote[]): number {
  return votes.filter((vote) => vote.verdict === 'approve' && countsFor(need, vote)).length;
}

function countsFor(need: ApprovalNeed, { scopes, consents = false }: ApprovalVote): boolean {
  return 'by' in need ? consents : !consents && scopes.includes(need.scope);
}

/** Which approval answers a request. `becomes`: it comes to nothing, or has; the caller is told now, once. */
export interface ChosenApproval {
  readonly approval: Approval;
  readonly becomes?: ApprovalState;
}

/**
 * Which of the approvals for the same call answers a request: every store chooses by this, inside of its atomic operation.
 * `undefined`: a new one is needed.
 *
 * @param known those of the same `callKey` that are open or rejected, and those that came to nothing lately and nobody was told of.
 */
export function chooseApproval(
  known: readonly Approval[],
  { key, binding }: Pick<NewApproval, 'key' | 'binding'>,
  { nowMs, goesOn }: Pick<ApprovalTerms, 'nowMs' | 'goesOn'>,
): ChosenApproval | undefined {
  const open = known.filter(({ state }) => state === 'pending' || state === 'granted' || (goesOn && state === 'asked'));
  const late = open.find(({ expiresAtMs }) => !(nowMs < expiresAtMs));
  if (late !== undefined) return { approval: late, becomes: 'expired' };
  const other = open.find((one) => one.key !== key || !covers(one.binding.needs, binding.needs));
  if (other !== undefined) return { approval: other, becomes: 'withdrawn' };
  const untold = known.find(({ state }) => state === 'expired' || state === 'withdrawn');
  if (untold !== undefined) return { approval: untold, becomes: untold.state };
  const rejected = known.find((one) => one.state === 'rejected' && one.key === key && nowMs < one.expiresAtMs);
  const found = rejected ?? byState(open, 'asked') ?? byState(open, 'granted') ?? byState(open, 'pending');
  return found && { approval: found };
}

/** Whether whoever meets the needs of one meets those of the other: a call that has become less risky needs no less than before. */
function covers(given: readonly ApprovalNeed[], needed: readonly ApprovalNeed[]): boolean {
  return needed.every((need) => given.some((one) => isForSame(one, need) && peopleFor(one) >= peopleFor(need)));
}

function isForSame(one: ApprovalNeed, other: ApprovalNeed): boolean {
  return 'by' in one || 'by' in other ? 'by' in one && 'by' in other : one.scope === other.scope;
}

function byState(approvals: readonly Approval[], wanted: ApprovalState): Approval | undefined {
  return approvals.find(({ state }) => state === wanted);
}
