import {
  type AccessRequest,
  type ApprovalContext,
  GatewayError,
  type PeopleObligation,
  type Permit,
} from '@sallyport/core';

/** Keeps what people decide by out of the sight of everybody else. Bound to the id, so that none passes for another. */
export interface ContextSeal {
  /** @throws RangeError when it is too long. */
  seal(id: string, context: ApprovalContext): string;
  /** `undefined` for a text that was not sealed for this id with these keys. */
  open(id: string, sealed: string): ApprovalContext | undefined;
  /** The same for the reason of a person. */
  sealReason(id: string, reason: string): string;
  openReason(id: string, sealed: string): string | undefined;
}

/** More than that nobody reads. In UTF-16 units. */
const longestArguments = 512 * 1024;

/** All that is known of a call, for the people to decide by. @throws GatewayError `approval_unavailable` if it is too much to read. */
export function contextOf(
  permit: Permit,
  { context }: AccessRequest,
  obligations: readonly PeopleObligation[],
): ApprovalContext {
  const { target, principal, argumentsText, restText } = permit;
  if (argumentsText.length + (restText?.length ?? 0) > longestArguments) {
    throw new GatewayError('approval_unavailable', {
      issues: [`the arguments are longer than a person can decide on (${longestArguments} characters)`],
    });
  }
  const { title, description, version, sideEffect, classification, owner } = target;
  const why = [...new Set(obligations.flatMap((one) => (one.why === undefined ? [] : [one.why])))];
  return {
    ...{ argumentsText, kind: principal.kind, description, version, sideEffect, classification, owner, why },
    ...(restText !== undefined && { restText }),
    ...(title !== undefined && { title }),
    ...(context.environment !== undefined && { environment: context.environment }),
    ...(context.risk && { risk: context.risk }),
    ...{ transport: context.transport },
    ...(principal.intent && { messageDigest: principal.intent.messageDigest }),
    ...(principal.intent?.purpose !== undefined && { purpose: principal.intent.purpose }),
  };
}
