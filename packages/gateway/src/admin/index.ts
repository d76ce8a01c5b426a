export { type AdminTarget, adminCall } from './client.ts';
export { type AdminAddresses, type AdminHttpDeps, type AdminListener, listenForAdmin } from './http.ts';
export type { AdminOperations, OperationContext, OperationHandler } from './operation.ts';
export { type AdminDeps, adminOperations, adminService } from './operations.ts';
export { createPolicyDesk, type PolicyDesk } from './policy-desk.ts';
export { createAdminRegistry } from './registry.ts';
