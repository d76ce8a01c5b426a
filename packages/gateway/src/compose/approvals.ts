import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import {
  type Approval,
  type ApprovalChannel,
  type ApprovalContext,
  type AuditRecord,
  auditSchemaVersion,
  type Catalog,
  GatewayError,
  type Permit,
  type Stages,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { type ApprovalDesk, type ApprovalSettings, type ContextSeal, createApprovalDesk } from '../approval/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createSealer } from '../secrets/index.ts';
import { newCallId, newTrace } from '../telemetry/index.ts';
import type { Sealing } from '../upstream/sealing.ts';
import { afterWaiting } from '../upstream/waiting.ts';
import type { Lifetime } from './lifetime.ts';
import type { Stores } from './stores.ts';

/** What approvals lean on. */
export interface ApprovalsParts {
  readonly stores: Pick<Stores, 'state' | 'handleKey'>;
  readonly settings: () => ApprovalSettings;
  readonly config: () => Pick<GatewayConfig, 'audit'>;
  readonly sealing: Pick<Sealing, 'incoming'>;
  readonly record: Stages['record'];
  /** What is on offer now. */
  readonly catalog: () => Catalog;
  /** Part of the revision that a decision names. */
  readonly policyRevision: () => string;
  readonly channels: () => readonly ApprovalChannel[];
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
}

/** Approvals that came to an end are kept for so long at most, for whoever wonders what became of one. */
const keepEndedMs = 30 * 86_400_000;
const pruneMs = 3_600_000;
/** What is over is ended after this long, if nobody looked at it before. */
const sweepMs = 5_000;

/** Opens the desk of a gateway, and sweeps it as long as the gateway lives. */
export function openApprovals(parts: ApprovalsParts): ApprovalDesk {
  const { stores, nowMs, log, life, catalog, sealing, record } = parts;
  const { approvals } = stores.state;
  const desk = createApprovalDesk({
    ...{ approvals, nowMs, log, settings: parts.settings, channels: parts.channels },
    hashKey: hashKeyOf(stores.handleKey),
    seal: createSeal(stores.handleKey, nowMs),
    newId: newApprovalId,
    goesOn: (permit) => goesOn(sealing, permit),
    isCurrent: ({ tool, definitionHash, policyRevision }) => {
      const target = catalog().byName.get(tool);
      // A resource that only a template stands for is not listed: its call will show.
      const isSame = target === undefined || target.definitionHash === definitionHash;
      return isSame && policyRevision.includes(parts.policyRevision());
    },
    recordEnd: (approval) => record(endOf(approval, nowMs())),
  });
  const sweep = (): void => {
    desk.sweep().catch((err: unknown) => log.warn({ err }, 'approvals that are over could not be ended'));
  };
  const prune = (): void => {
    // They hold arguments, as the audit log does: where that is to forget them sooner, so are these.
    const { sealedMs = keepEndedMs } = parts.config().audit.retention;
    approvals
      .prune(nowMs() - Math.min(sealedMs, keepEndedMs))
      .catch((err: unknown) => log.warn({ err }, 'old approvals could not be removed'));
  };
  prune();
  const timers = [setInterval(sweep, sweepMs).unref(), setInterval(prune, pruneMs).unref()];
  life.onClose(() => {
    for (const timer of timers) clearInterval(timer);
    desk.close();
  });
  return desk;
}

/** Whether a call brings something for its service, beside what says that it had waited. */
function goesOn(sealing: Pick<Sealing, 'incoming'>, permit: Permit): boolean {
  return permit.retry !== undefined && afterWaiting(sealing.incoming(permit)) !== undefined;
}

function hashKeyOf(key: KeyObject): KeyObject {
  return createSecretKey(createHmac('sha256', key).update('sallyport/1/approvals').digest());
}

function createSeal(key: KeyObject, nowMs: () => number): ContextSeal {
  const sealer = createSealer(key, nowMs);
  const kindOf = (id: string): string => `approval ${id}`;
  return {
    seal: (id, context) => sealer.seal(kindOf(id), context as unknown as JsonObject, Number.MAX_SAFE_INTEGER),
    open: (id, sealed) => sealer.open(kindOf(id), sealed) as unknown as ApprovalContext | undefined,
    sealReason: (id, reason) => sealer.seal(`${kindOf(id)} reason`, { reason }, Number.MAX_SAFE_INTEGER),
    openReason(id, sealed) {
      const opened = sealer.open(`${kindOf(id)} reason`, sealed);
      return typeof opened?.reason === 'string' ? opened.reason : undefined;
    },
  };
}

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const idLength = 16;

function newApprovalId(): string {
  let id = '';
  while (id.length < idLength) {
    for (const byte of randomBytes(idLength)) {
      // Bytes beyond the last whole round of the alphabet would make its first letters likelier.
      if (byte < 256 - (256 % alphabet.length) && id.length < idLength) id += alphabet.charAt(byte % alphabet.length);
    }
  }
  return `apr_${id}`;
}

/** Nobody called: on record as a refusal that the gateway made by itself, of the call that waited. */
function endOf(approval: Approval, timeMs: number): AuditRecord {
  const { binding, policies, id } = approval;
  const { requester, tool, service, method, definitionHash, policyRevision } = binding;
  const error = new GatewayError(approval.state === 'withdrawn' ? 'approval_withdrawn' : 'approval_expired');
  const { traceId, spanId } = newTrace();
  return {
    ...{ schema: auditSchemaVersion, kind: 'outcome', callId: newCallId(), traceId, spanId, timeMs, durationMs: 0 },
    ...{ verb: 'invoke', origin: { transport: 'admin', peer: 'local', era: 'none' } },
    ...{ subject: requester.subject, client: requester.client },
    ...(requester.actor && { actor: requester.actor }),
    ...(requester.tenant !== undefined && { tenant: requester.tenant }),
    ...(requester.app !== undefined && { app: requester.app }),
    ...{ tool, service, definitionHash, policies, policyRevision, approval: id },
    ...(method !== 'tools/call' && { operation: method }),
    ...{ outcome: 'refused', code: error.code, reason: error.reason, stage: 'approve' },
    ...{ inputBytes: 0, outputBytes: 0 },
  };
}
