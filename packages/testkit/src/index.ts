export {
  type ApprovalsLaw,
  approvalTerms,
  approvalVote,
  type WantedApproval,
  wantedApproval,
} from './contracts/approval-requests.ts';
export * from './contracts/approvals.ts';
export * from './contracts/containments.ts';
export * from './contracts/intents.ts';
export * from './contracts/revisions.ts';
export * from './contracts/tokens.ts';
export * from './corpus/arguments.ts';
export * from './corpus/attack.ts';
export * from './corpus/http.ts';
export * from './corpus/messages.ts';
export * from './corpus/smuggling.ts';
export * from './drivers/conversation.ts';
export * from './drivers/driver.ts';
export * from './drivers/embedded.ts';
export { type HttpDriverOptions, httpLegacy, httpModern } from './drivers/http-mcp.ts';
export * from './drivers/http-session.ts';
export { type Era, nextId } from './drivers/mcp-text.ts';
export * from './drivers/mounted.ts';
export { readMcpAnswer, readRestAnswer } from './drivers/read-answer.ts';
export * from './drivers/rest.ts';
export * from './drivers/stdio.ts';
export * from './drivers/ws.ts';
export * from './fakes/approvals.ts';
export * from './fakes/audit.ts';
export * from './fakes/authenticator.ts';
export * from './fakes/clock.ts';
export * from './fakes/containments.ts';
export * from './fakes/registry.ts';
export * from './fakes/sealer.ts';
export * from './fakes/stages.ts';
export * from './fuzz.ts';
export * from './postgres.ts';
