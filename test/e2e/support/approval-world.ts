import {
  type AuditRecord,
  type Authenticator,
  GatewayError,
  notResponsible,
  type PolicyEngine,
  type RefusalCount,
} from '@sallyport/core';
import { callbackAuditLog, createGateway, fixedRegistry, type Gateway, inProcessService } from '@sallyport/gateway';
import { fakePrincipal } from '@sallyport/testkit';
import { type ApprovalDesk, createApprovalDesk } from './approval-desk.ts';

/** The tool that has to be approved. */
export const tool = 'payments.Payments.Refund';
/** Its arguments. */
export const refund = { order: 'o-1', amount: 240 };

/** A gateway in this process, whose one tool has to be approved. */
export interface World {
  readonly gateway: Gateway;
  readonly desk: ApprovalDesk;
  readonly url: URL;
  /** The arguments of every call that reached the service. */
  readonly ran: object[];
  readonly records: (AuditRecord | RefusalCount)[];
  readonly tokens: Map<string, string>;
  /** Names of what policy forbids to call from now on. */
  readonly forbidden: Set<string>;
}

/** Closers of what a test opened; each file has one to run after each of its tests. */
export const opened: (() => unknown)[] = [];
/** Closes all of it. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

/** Opens one. `waitMs`: how long callers are kept. */
export async function openWorld(waitMs = 1_500): Promise<World> {
  const ran: object[] = [];
  const records: (AuditRecord | RefusalCount)[] = [];
  const tokens = new Map([
    ['agent', 'agent'],
    ['other', 'other'],
  ]);
  const forbidden = new Set<string>();
  const desk = createApprovalDesk([tool]);
  const schema = { type: 'object', properties: { order: { type: 'string' }, amount: { type: 'number' } } } as const;
  const payments = inProcessService(
    {
      ...{ service: 'payments', version: '1.0.0' },
      tools: [{ name: 'Payments.Refund', description: 'Refund.', inputSchema: schema, sideEffect: 'write' }],
    },
    {
      'Payments.Refund': (args) => {
        ran.push(args);
        return { refunded: args.amount ?? null };
      },
    },
  );
  const byToken: Authenticator = {
    authenticate: ({ presented }) => {
      if (presented.kind !== 'bearer') return notResponsible;
      const subject = tokens.get(presented.token);
      if (subject === undefined) throw new GatewayError('credential_revoked');
      return fakePrincipal({ subject });
    },
  };
  const engine: PolicyEngine = {
    revision: () => 'r1',
    decide: ({ action, resource }) => ({
      effect: action === 'invoke' && forbidden.has(resource.id) ? 'deny' : 'permit',
      ...{ policies: ['test'], revision: 'r1' },
    }),
  };
  const gateway = createGateway({
    ...{ registry: fixedRegistry([payments]), authenticators: [byToken], approvers: [desk.approver] },
    audit: callbackAuditLog((record) => void records.push(record)),
    ...{ policyEngines: [engine], approvalWaitMs: waitMs },
  });
  opened.push(() => gateway.close());
  const url = await gateway.listen({ port: 0 });
  return { gateway, desk, url, ran, records, tokens, forbidden };
}

/** The revision of modern clients. */
export const revision = '2026-07-28';
/** What clients declare that know tasks. */
export const tasksExtension = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

/** A request of a modern client. */
export function message(method: string, params: object, capabilities: object = {}): string {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } });
}

/** A modern client by hand: the SDK's takes no tasks. */
export function byHand({ url }: Pick<World, 'url'>, capabilities: object, token = 'agent') {
  return async (method: string, params: { [key: string]: unknown }): Promise<any> => {
    const name = params.name ?? params.taskId ?? params.uri;
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...{ 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
        ...{ Authorization: `Bearer ${token}`, 'MCP-Protocol-Version': revision, 'Mcp-Method': method },
        ...(typeof name === 'string' && { 'Mcp-Name': name }),
      },
      body: message(method, params, capabilities),
    });
    return response.json();
  };
}

/** Looks again until there is something to see. */
export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a task ended as. */
export function endOf(ask: ReturnType<typeof byHand>, taskId: string): Promise<any> {
  return until(async () => {
    const { result } = await ask('tasks/get', { taskId });
    return result.status === 'working' ? undefined : result;
  });
}
