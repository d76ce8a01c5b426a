import type { Finding } from './check.ts';

/** The log on disk is not as it was left: nothing is written to it until a person has looked. */
export class AuditLogDamaged extends Error {
  override readonly name = 'AuditLogDamaged';
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[]) {
    const [first] = findings;
    super(`the audit log is damaged: row ${first?.seq} (${first?.kind}): ${first?.detail}`);
    this.findings = findings;
  }
}
