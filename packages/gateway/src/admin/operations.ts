import type { ServiceManifest } from '@sallyport/protocol';
import { accountOperations } from './account-operations.ts';
import { type ApprovalOperationDeps, approvalOperations } from './approval-operations.ts';
import { type AuditOperationDeps, auditOperations } from './audit-operations.ts';
import { type ContainmentOperationDeps, containmentOperations } from './containment-operations.ts';
import { type CredentialOperationDeps, credentialOperations } from './credential-operations.ts';
import { type GatewayOperationDeps, gatewayOperations } from './gateway-operations.ts';
import { guard } from './guarded.ts';
import { type IntentOperationDeps, intentOperations } from './intent-operations.ts';
import { type KeyOperationDeps, keyOperations } from './key-operations.ts';
import { openApi, openApiDocument } from './openapi.ts';
import type { AdminOperations, Operation, OperationHandler } from './operation.ts';
import { type PolicyOperationDeps, policyOperations } from './policy-operations.ts';
import { type RevocationOperationDeps, revocationOperations } from './revocation-operations.ts';
import { type TokenOperationDeps, tokenOperations } from './token-operations.ts';
import { type UserOperationDeps, userOperations } from './user-operations.ts';

/** What all operations together lean on. */
export type AdminDeps = TokenOperationDeps &
  GatewayOperationDeps &
  CredentialOperationDeps &
  RevocationOperationDeps &
  ContainmentOperationDeps &
  ApprovalOperationDeps &
  PolicyOperationDeps &
  UserOperationDeps &
  AuditOperationDeps &
  KeyOperationDeps &
  IntentOperationDeps;

/** The name of the service that administration is; its tools are called `admin.tokens.create` and so on. */
export const adminService = 'admin';

/**
 * Administration as a service like any other: its operations are tools with schemas and scopes, to be put behind a
 * pipeline of their own. They never appear in the catalog that agents see.
 */
export function adminOperations(deps: AdminDeps): AdminOperations {
  const declared: readonly Operation[] = [
    ...tokenOperations(deps),
    ...revocationOperations(deps),
    ...containmentOperations(deps),
    ...approvalOperations(deps),
    ...policyOperations(deps),
    ...credentialOperations(deps),
    ...intentOperations(deps),
    ...accountOperations(deps),
    ...userOperations(deps),
    ...auditOperations(deps),
    ...keyOperations(deps),
    ...gatewayOperations(deps),
  ];
  const described = [...declared, openApi(() => openApiDocument(operations))];
  const operations = guard(described);
  const manifest: ServiceManifest = {
    service: adminService,
    version: '1.0.0',
    owner: 'sallyport',
    tools: operations.map(({ tool }) => tool),
  };
  const handlers = new Map<string, OperationHandler>(operations.map(({ tool, handler }) => [tool.name, handler]));
  return { manifest, handlers };
}
