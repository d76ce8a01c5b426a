import type { ErrorCode, JsonObject } from '@sallyport/protocol';

/** What a program switches on. */
export type Code = ErrorCode;

interface ReasonRow {
  readonly code: Code;
  /** HTTP status on REST and Streamable HTTP. */
  readonly http: number;
  /** JSON-RPC error code. MCP 2026-07-28 forbids new ones in −32768…−32000, so where none fits it is the HTTP number. */
  readonly jsonRpc: number;
  /** Whether the same call may succeed later, unchanged. */
  readonly retryable: boolean;
  /** What the caller is told. Constant per reason: a refusal says nothing about what exists. */
  readonly message: string;
}

/** Codes after which the same call may succeed later, unchanged. */
const retryableCodes: ReadonlySet<Code> = new Set(['unavailable', 'resource_exhausted', 'deadline_exceeded']);

/**
 * Every way a call can be refused: the one closed table behind error answers, audit records and spans, which all use
 * the same word. `docs/errors.md` is pinned to it.
 */
export const reasons = {
  origin_refused: row('permission_denied', [403, 403], 'This Host or Origin is not allowed here.'),
  payload_too_large: row('invalid_argument', [413, 413], 'The request is larger than this gateway accepts.'),
  peer_limited: row('resource_exhausted', [429, 429], 'Too many requests from this address.'),
  credential_missing: row('unauthenticated', [401, 401], 'Present a token in the Authorization header.'),
  credential_invalid: row('unauthenticated', [401, 401], 'This token is not valid here.'),
  credential_expired: row('unauthenticated', [401, 401], 'This token has expired.'),
  credential_revoked: row('unauthenticated', [401, 401], 'This token has been revoked.'),
  proof_invalid: row('unauthenticated', [401, 401], 'The proof that the token is yours is missing or not valid here.'),
  proof_nonce: row('unauthenticated', [401, 401], 'The proof has to hold the nonce that comes with this answer.'),
  issuer_unavailable: row('unavailable', [503, 503], 'The token cannot be checked at the moment.'),
  malformed_json: row('invalid_argument', [400, -32700], 'The request is not valid JSON.'),
  malformed_request: row('invalid_argument', [400, -32600], 'The request is not a valid JSON-RPC request.'),
  malformed_params: row('invalid_argument', [400, -32602], 'The parameters of the request are not valid.'),
  header_mismatch: row('invalid_argument', [400, -32020], 'A header disagrees with the body.'),
  version_unsupported: row('invalid_argument', [400, -32022], 'This protocol version is not supported.'),
  method_unknown: row('unimplemented', [404, -32601], 'This method does not exist here.'),
  unknown_tool: row('not_found', [404, -32602], 'Unknown tool.'),
  unknown_prompt: row('not_found', [404, -32602], 'Unknown prompt.'),
  unknown_resource: row('not_found', [404, -32602], 'Unknown resource.'),
  unknown_task: row('not_found', [404, -32602], 'Unknown task.'),
  unknown_endpoint: row('not_found', [404, -32602], 'Nothing is offered here.'),
  unknown_session: row('not_found', [404, -32600], 'Unknown session: initialize again.'),
  session_missing: row('invalid_argument', [400, -32600], 'The Mcp-Session-Id header is missing: initialize first.'),
  sessions_exhausted: row('resource_exhausted', [429, 429], 'Too many sessions or parked calls.'),
  state_invalid: row(
    'invalid_argument',
    [400, -32602],
    'The request state is not one that this caller was given for this call, or it is too old.',
  ),
  parked_elsewhere: row('aborted', [409, 409], 'The call waited at another gateway, or was lost with it: begin anew.'),
  client_cannot: row(
    'invalid_argument',
    [400, -32021],
    'The service asks for something that the client did not say it can do.',
  ),
  unknown_question: row('not_found', [404, -32602], 'No call of yours waits for this answer.'),
  insufficient_scope: row('permission_denied', [403, 403], 'The token lacks a scope for this tool.'),
  contained: row('permission_denied', [403, 403], 'This call is blocked by an operator.'),
  rate_limited: row('resource_exhausted', [429, 429], 'Too many calls.'),
  invalid_input: row('invalid_argument', [400, -32602], 'The arguments do not match the schema of the tool.'),
  policy_denied: row('permission_denied', [403, 403], 'Policy does not permit this call.'),
  intent_exceeded: row('permission_denied', [403, 403], 'This is not what the token was given for.'),
  intent_spent: row('permission_denied', [403, 403], 'All calls that the token was given for were made.'),
  approval_rejected: row('permission_denied', [403, 403], 'A person rejected this call.'),
  second_factor_required: row('unauthenticated', [401, 401], 'This call takes a sign-in with a second factor.'),
  policy_unavailable: row('unavailable', [503, 503], 'The policy decision point does not answer.'),
  approval_expired: row('permission_denied', [403, 403], 'Nobody approved this call in time.'),
  approval_withdrawn: row('aborted', [409, 409], 'What was approved has changed since: ask again.'),
  approvals_exhausted: row('resource_exhausted', [429, 429], 'Too many calls wait for an approval.'),
  approval_unavailable: row('unavailable', [503, 503], 'The call needs an approval and nobody can be asked.'),
  quota_exhausted: row('resource_exhausted', [429, 429], 'The quota is used up.'),
  credential_unavailable: row('unavailable', [503, 503], 'No credential for the service could be had.'),
  upstream_unavailable: row('unavailable', [503, 503], 'The service does not answer.'),
  upstream_failed: row('unknown', [502, 502], 'The service failed.'),
  upstream_timeout: row('deadline_exceeded', [504, 504], 'The service did not answer in time.'),
  invalid_output: row('failed_precondition', [502, 502], 'The service answered with something its schema forbids.'),
  output_refused: row('failed_precondition', [502, 502], 'The answer may not be passed on.'),
  cancelled: row('cancelled', [499, 499], 'The caller cancelled.'),
  store_unavailable: row(
    'unavailable',
    [503, 503],
    'The gateway cannot look up or keep what this takes at the moment.',
  ),
  audit_unavailable: row('unavailable', [503, 503], 'The call could not be recorded.'),
  conflict: row('aborted', [409, 409], 'Somebody changed this in the meantime, or it exists already.'),
  precondition_failed: row('failed_precondition', [412, 412], 'This is not what you have seen any more: look again.'),
  not_found: row('not_found', [404, -32602], 'No such thing.'),
  internal: row('internal', [500, -32603], 'Internal error.'),
} as const satisfies Record<string, ReasonRow>;

/** One word of the closed list above. */
export type Reason = keyof typeof reasons;

/** The stages of the one path, in order. `read` is where an unreadable request is refused. */
export const stageNames = [
  'admit',
  'authenticate',
  'read',
  'resolve',
  'entitle',
  'rate',
  'validate',
  'authorize',
  'approve',
  'budget',
  'credential',
  'dispatch',
  'filter',
  'record',
] as const;

/** Where on the path something happened. */
export type StageName = (typeof stageNames)[number];

/** What a refusal may carry besides its reason; all of it is safe to tell the caller. */
export interface ErrorDetails {
  /** For `intent_exceeded` and `intent_spent`: the intent's id. */
  readonly intent?: string;
  /** For `insufficient_scope`: any one of these is enough. */
  readonly scopes?: readonly string[];
  /** For what policy denies: names the decision, for the people who own the policy. */
  readonly decision?: string;
  /** For what policy denies: what those people want the caller to be told. */
  readonly reasons?: readonly string[];
  /** For approvals: the id of the one that nothing came of. */
  readonly approval?: string;
  /** For `second_factor_required`: what would be enough (RFC 9470): any one of these `acr`, and how old the sign-in may be. */
  readonly acrValues?: readonly string[];
  readonly maxAgeMs?: number;
  /** For limits: when to try again. */
  readonly retryAfterMs?: number;
  /** For bad input: what to fix, one sentence each, with JSON pointers into the arguments. */
  readonly issues?: readonly string[];
  /** For `client_cannot`: MCP `ClientCapabilities` that the client would have to declare. */
  readonly requiredCapabilities?: JsonObject;
  /** For `version_unsupported`. */
  readonly supported?: readonly string[];
  readonly requested?: string;
}

/**
 * The one error of the gateway. `code` and `reason` are for programs, `message` is safe for agents, `cause` is for the
 * operator's log and never leaves.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: Code;
  readonly reason: Reason;
  readonly details: ErrorDetails;
  /** Set by the pipeline to the stage that was reached when it was thrown. */
  readonly stage: StageName | undefined;

  constructor(reason: Reason, details: ErrorDetails = {}, options: { cause?: unknown; stage?: StageName } = {}) {
    super(reasons[reason].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = reasons[reason].code;
    this.reason = reason;
    this.details = details;
    this.stage = options.stage;
  }

  get http(): number {
    return reasons[this.reason].http;
  }

  get jsonRpc(): number {
    return reasons[this.reason].jsonRpc;
  }

  get retryable(): boolean {
    return reasons[this.reason].retryable;
  }

  /** Anything thrown becomes a gateway error of that stage. What is not one already is `internal`, its text kept as cause. */
  static from(thrown: unknown, stage: StageName): GatewayError {
    if (!(thrown instanceof GatewayError)) return new GatewayError('internal', {}, { cause: thrown, stage });
    if (thrown.stage !== undefined) return thrown;
    return new GatewayError(thrown.reason, thrown.details, { cause: thrown.cause, stage });
  }
}

function row(code: Code, [http, jsonRpc]: readonly [http: number, jsonRpc: number], message: string): ReasonRow {
  return { code, http, jsonRpc, retryable: retryableCodes.has(code), message };
}
