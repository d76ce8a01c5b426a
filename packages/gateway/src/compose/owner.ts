import { userInfo } from 'node:os';
import type { JsonObject } from '@sallyport/protocol';
import {
  type AdminDeps,
  type AdminHttpDeps,
  type AdminListener,
  adminOperations,
  createAdminRegistry,
  listenForAdmin,
} from '../admin/index.ts';
import type { AuditSource } from '../audit/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createSealer } from '../secrets/index.ts';
import { newCallId, type Tracing } from '../telemetry/index.ts';
import { openMessage } from './intents.ts';
import { createPlane, type Plane, type PlaneParts, type PlaneSettings } from './plane.ts';
import { dataPaths, type Stores } from './stores.ts';

/** What administration is made of. */
export interface OwnerParts extends Omit<PlaneParts, 'registry'> {
  readonly stores: Stores;
  readonly passwordCost: AdminDeps['passwordCost'];
  /** The plane that is administered. */
  readonly agents: Plane;
  readonly status: () => JsonObject;
  readonly metrics: AdminDeps['metrics'];
  readonly maxTokenLifeMs: () => number;
  /** What people call this gateway. */
  readonly gatewayName: () => string;
  readonly issuerNames: () => readonly string[];
  readonly auditPath: AuditSource;
  readonly credentials: AdminDeps['credentials'];
  readonly keys: AdminDeps['keys'];
  readonly refreshContainment: AdminDeps['refreshContainment'];
  readonly approvalDesk: AdminDeps['approvalDesk'];
  readonly policyDesk: AdminDeps['policyDesk'];
}

/** Administration as a plane of its own: its operations are tools, on the same path as all others. */
export function createOwnerPlane(parts: OwnerParts, settings: PlaneSettings): Plane {
  const { stores, agents, status, maxTokenLifeMs, nowMs } = parts;
  const { tokens, accounts, revocations, users, intents, containments } = stores.state;
  const messageSealer = createSealer(stores.handleKey, nowMs);
  const totpSealer = createSealer(stores.authServerKeys.seal, nowMs);
  const catalog = agents.catalog.current;
  const operations = adminOperations({
    tokens,
    accounts,
    revocations,
    ...{ containments, refreshContainment: parts.refreshContainment, approvalDesk: parts.approvalDesk },
    policyDesk: parts.policyDesk,
    users,
    sealTotp: (user, secret) => totpSealer.seal(`totp ${user}`, { secret }, Number.MAX_SAFE_INTEGER),
    passwordCost: parts.passwordCost,
    gatewayName: parts.gatewayName,
    issuerNames: parts.issuerNames,
    ...{ intents, auditPath: parts.auditPath, credentials: parts.credentials, keys: parts.keys },
    openMessage: (id, sealed) => openMessage(messageSealer, id, sealed),
    pepper: stores.pepper,
    eraseAudit: stores.auditLog.erase,
    nowMs,
    maxTokenLifeMs,
    catalog,
    status,
    metrics: parts.metrics,
  });
  return createPlane({ ...parts, registry: createAdminRegistry(operations) }, settings);
}

interface OwnerListener {
  readonly config: GatewayConfig;
  readonly plane: Plane;
  readonly isReady: () => boolean;
  readonly nowMs: () => number;
  readonly newTrace: Tracing['newTrace'];
  readonly readAnswer: AdminHttpDeps['readAnswer'];
}

/** Listens for the owner on the Unix socket, and for administrators' tokens on loopback. */
export function listenForOwner({ config, plane, isReady, nowMs, ...more }: OwnerListener): Promise<AdminListener> {
  return listenForAdmin(
    { pipeline: plane.pipeline, newCallId, nowMs, isReady, ...more },
    { tcp: config.admin, socketPath: dataPaths(config.data).adminSocket, user: userInfo().username },
  );
}
