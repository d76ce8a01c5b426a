import type { Classification, SideEffect } from '@sallyport/protocol';
import type { CallId, JsonText, Origin, ServiceMethod } from './call.ts';
import type { AccessRequest, Decision, Obligation, Risk, Shadow } from './decision.ts';
import type { Code, Reason, StageName } from './error.ts';
import type { Redactions } from './outcome.ts';
import type { Actor } from './principal.ts';

/** Which layout of record this is; a reader refuses versions it does not know. */
export const auditSchemaVersion = 1;

/**
 * What is written for one call. Plain data. `argumentsText`, `outputText` and `request` are the only confidential parts: the
 * audit log stores keyed hashes of the first two and a sealed (encrypted) form of arguments and request, never any of them in
 * the clear.
 */
export interface AuditRecord {
  readonly schema: typeof auditSchemaVersion;
  /** `outcome`: how a call ended. `intent`: that it is about to leave, written before dispatch where the tool demands it. */
  readonly kind: 'outcome' | 'intent';
  readonly callId: CallId;
  readonly traceId: string;
  readonly spanId: string;
  /** The span of the caller that the call is inside of. */
  readonly parentSpanId?: string;
  /** The call that a service served when it made this one. */
  readonly parentCall?: CallId;
  /** What the caller itself calls the request (JSON-RPC `id`). */
  readonly requestId?: string;
  /** Where this gateway runs, by its configuration: `production`, say. As far as policies were asked. */
  readonly environment?: string;
  /** When the call was received and how long it took, in milliseconds. */
  readonly timeMs: number;
  readonly durationMs: number;
  readonly verb: 'invoke' | 'list' | 'listen' | 'reply' | 'unreadable';
  readonly origin: Origin;
  /** The principal, as far as it is known: absent when authentication refused. */
  readonly subject?: string;
  readonly actor?: Actor;
  readonly client?: string;
  readonly session?: string;
  readonly tenant?: string;
  readonly app?: string;
  readonly method?: string;
  readonly credentialId?: string;
  /** What it was done for, where the credential was given for something: the intent's id, the user's message, and the word for it. */
  readonly intent?: { readonly id: string; readonly messageDigest: string; readonly purpose?: string };
  /** The target's name if it resolved, else what was asked for; `service` and the rest only if it resolved. */
  readonly tool?: string;
  /** The MCP method, where it is not `tools/call`. */
  readonly operation?: ServiceMethod;
  readonly service?: string;
  readonly toolVersion?: string;
  readonly definitionHash?: string;
  /** The build that answers for the target, as its service announced it. */
  readonly codeHash?: string;
  readonly instance?: string;
  /** The span that the service was told of, where spans are made: what it does is inside of this. */
  readonly upstreamSpanId?: string;
  readonly sideEffect?: SideEffect;
  readonly classification?: Classification;
  /** How dangerous its service says that the target is. */
  readonly toolRisk?: 'low' | 'medium' | 'high';
  /** Kinds of data: those that the target was declared to deal with, and those that the output filters found. */
  readonly dataCategories?: readonly string[];
  /** The target is one whose every call must be on record, durably, before it leaves. */
  readonly auditRequired?: true;
  readonly scopesRequired?: readonly string[];
  /** What policies decided, where they were asked. */
  readonly effect?: Decision['effect'];
  readonly policies?: readonly string[];
  readonly policyRevision?: string;
  /** How dangerous this call looked, where that is rated. */
  readonly risk?: Risk;
  /** Kinds of what policies asked for besides. */
  readonly obligations?: readonly Obligation['kind'][];
  /** Policies that could not be evaluated. */
  readonly policyErrors?: readonly string[];
  /** What policies that are only tried would have made of it, where that differs. */
  readonly shadow?: Shadow;
  /** The approval that the call waits for, or went by. */
  readonly approval?: string;
  readonly outcome: 'answered' | 'suspended' | 'refused' | 'intended';
  /** For answered calls: the tool itself said it failed. */
  readonly toolError?: boolean;
  /** For answers that are not complete: `input_required`, `task`, or what else the service said. */
  readonly resultType?: string;
  readonly code?: Code;
  readonly reason?: Reason;
  readonly stage?: StageName;
  /** What the output filters took out of the answer and of what was said on the way to it, by rule. */
  readonly redacted?: Redactions;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** What the caller was answered is sealed with the arguments, as the configuration wants it for this classification. */
  readonly outputSealed?: true;
  readonly argumentsText?: JsonText;
  /** What the caller was answered, as it left the output filters. */
  readonly outputText?: JsonText;
  readonly request?: AccessRequest;
}

/** Refusals before authentication beyond the number recorded singly: counted, so that a flood cannot fill the log. */
export interface RefusalCount {
  readonly schema: typeof auditSchemaVersion;
  readonly kind: 'refusals';
  readonly peer: string;
  readonly reason: Reason;
  readonly count: number;
  readonly fromMs: number;
  readonly toMs: number;
}
