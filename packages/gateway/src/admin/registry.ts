import { GatewayError, type JsonText, type Registry, spendPermit, type Upstream } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { entityTag, etagKey } from './guarded.ts';
import type { AdminOperations } from './operation.ts';
import { adminService } from './operations.ts';

/** A registry with the one service that administration is, for the pipeline it is reached through. */
export function createAdminRegistry({ manifest, handlers }: AdminOperations): Registry {
  const registration = { manifest, upstream: createUpstream(handlers), instances: 1, state: 'ready' } as const;
  return {
    registrations: () => [registration],
    onChange: () => () => undefined,
    settling: false,
    close: async () => undefined,
  };
}

/** Calls operations in this process. Permits are spent all the same. */
function createUpstream(handlers: AdminOperations['handlers']): Upstream {
  return {
    describe: () => ({ service: adminService, kind: 'in-process' }),
    async open(permit, { signal, sent }) {
      const handler = handlers.get(permit.target.remoteName);
      if (handler === undefined) throw new GatewayError('upstream_unavailable');
      const args = JSON.parse(permit.argumentsText) as JsonObject;
      spendPermit(permit);
      sent();
      const result = await handler(args, { principal: permit.principal, signal });
      const text = JSON.stringify(result);
      // What was seen can be named when it is to be changed.
      const isRead = permit.target.sideEffect === 'read';
      const answer = {
        content: [{ type: 'text', text }],
        structuredContent: result,
        ...(isRead && { _meta: { [etagKey]: entityTag(text) } }),
      };
      return { text: JSON.stringify(answer) as JsonText, isError: false, instance: 'gateway' };
    },
    close: async () => undefined,
  };
}
