export { AuditLogDamaged } from './chain.ts';
export type { Finding } from './check.ts';
export { DataKeyDestroyed, type Erasure } from './data-keys.ts';
export { type Durability, type DurabilityRules, defaultDurability } from './durability.ts';
export { exportEvidence, type Span, verifyEvidence } from './evidence.ts';
export { type ExportFormat, exportFormats } from './formats.ts';
export { type AuditLogOptions, AuditLogUnavailable, type AuditStats, type OpenAuditLog, openAuditLog } from './log.ts';
export type { AuditSource, PostgresAuditSource } from './log-reader.ts';
export {
  type AuditProof,
  NotYetSigned,
  type ProofVerification,
  type ProvenRecord,
  proveCall,
  verifyProof,
} from './proof.ts';
export { type AuditRow, auditLogs, auditVerifierKey, openSealed } from './reader.ts';
export type { RetentionRules } from './retention-rules.ts';
export type { StoredRecord } from './row.ts';
export type { AuditKeys } from './seal.ts';
export {
  type AuditFilter,
  type AuditPage,
  type ExportOptions,
  exportAudit,
  type FoundRow,
  type FoundRows,
  findAudit,
  searchAudit,
  type TailOptions,
  tailAudit,
} from './search.ts';
export { createRecord, type RecordOptions, type RecordStage } from './stage.ts';
export type { OnRecord, ToldRecord } from './teller.ts';
export { type Verification, type VerifyOptions, verifyAudit } from './verify.ts';
