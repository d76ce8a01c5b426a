export { type AdminTarget, adminCall } from './admin/index.ts';
export {
  type AuditFilter,
  type AuditPage,
  exportAudit,
  type Finding,
  openSealed,
  searchAudit,
  tailAudit,
  type Verification,
  verifyAudit,
} from './audit/index.ts';
export {
  ConfigError,
  formatProblem,
  type GatewayConfig,
  type LoadedConfig,
  loadConfig,
  type ServiceConfig,
} from './config/index.ts';
export { type RunningGateway, type StartOptions, startGateway } from './main.ts';
export {
  type AnnounceCredential,
  loadMasterKey,
  mintCredential,
  readCredentialFile,
  writeCredentialFile,
} from './secrets/index.ts';
export { auditKeys, dataPaths } from './stores.ts';
export { createLogger, type LogOptions, wantsColour } from './telemetry/index.ts';
export { version } from './version.ts';
