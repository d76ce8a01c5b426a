export { type AdminTarget, adminCall } from './admin/index.ts';
export {
  type AuditFilter,
  type AuditKeys,
  type AuditPage,
  type AuditRow,
  type AuditSource,
  auditLogs,
  auditVerifierKey,
  DataKeyDestroyed,
  type ExportFormat,
  exportAudit,
  exportEvidence,
  type Finding,
  type FoundRow,
  type FoundRows,
  findAudit,
  NotYetSigned,
  openAuditLog,
  openSealed,
  type ProofVerification,
  proveCall,
  type StoredRecord,
  searchAudit,
  tailAudit,
  type Verification,
  type VerifyOptions,
  verifyAudit,
  verifyEvidence,
  verifyProof,
} from './audit/index.ts';
export type { AuthenticationDeps, AuthenticatorKind } from './authentication/kind.ts';
export { auditOrigin, auditSource } from './compose/audit-place.ts';
export { callbackAuditLog, createGateway, type Gateway, type GatewayOptions } from './compose/embed.ts';
export { auditKeys, gatewayKeys, type KeyConfig, keyPlaces } from './compose/keys.ts';
export { type McpServerAddress, mcpRegistry } from './compose/mcp-registry.ts';
export { type CaseGround, type CaseResult, type FoundDecision, runPolicyCases } from './compose/policy-cases.ts';
export { type RunningGateway, type StartOptions, startGateway } from './compose/start.ts';
export { type DatabaseReport, examineDatabase, type StateConfig } from './compose/state.ts';
export { dataPaths, witnessPath } from './compose/stores.ts';
export { version } from './compose/version.ts';
export {
  type CommandService,
  ConfigError,
  formatProblem,
  type GatewayConfig,
  type LoadedConfig,
  loadConfig,
  type ServiceConfig,
} from './config/index.ts';
export { type WatchConfigOptions, watchConfig } from './config/watch.ts';
export {
  customRule,
  defaultRedaction,
  type FoundSecret,
  findSecrets,
  type RedactionRule,
  type RedactionSettings,
} from './output/index.ts';
export {
  type AttributeType,
  type CaseTool,
  type CedarPolicy,
  cedarSchema,
  fromRevision,
  hasProblems,
  loadPolicies,
  type PoliciesForTools,
  type PolicyCase,
  type PolicyCheck,
  type PolicyPaths,
  type PolicyPlace,
  type PolicyProblem,
  type PolicyProblems,
  type PolicySet,
  type PolicySettings,
  type PolicySource,
  type PolicySuite,
  type PolicyTool,
  parsePolicies,
  policiesFor,
  readPolicyCases,
  type ToolPolicy,
  toRevision,
  validatePolicies,
} from './policy/index.ts';
export { combineRegistries } from './registry/combined.ts';
export {
  type CallToolResult,
  fixedRegistry,
  type Handler,
  type HandlerContext,
  inProcessService,
} from './registry/in-process.ts';
export {
  type AnnounceCredential,
  loadMasterKey,
  MasterKeyMissing,
  type MasterPlace,
  mintCredential,
  placeText,
  prepareKey,
  readCredentialFile,
  rotateMasterKey,
  writeCredentialFile,
} from './secrets/index.ts';
export { createLogger, type LogOptions, wantsColour } from './telemetry/index.ts';
export { type BridgeOptions, bridgeStdio } from './transport/stdio-bridge.ts';
