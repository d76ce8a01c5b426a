import { GatewayError, type JsonText, noHold, type Principal } from '@sallyport/core';
import type { JsonValue, ServiceManifest, ToolManifest } from '@sallyport/protocol';
import { fakePrincipal, type TokenFate } from '@sallyport/testkit';
import type { ExtraKinds } from '../../packages/gateway/src/compose/stages.ts';
import type { LimitOverride } from '../../packages/gateway/src/limits/index.ts';
import type { CallToolResult, Handler } from '../../packages/gateway/src/registry/in-process.ts';
import { intent } from './meant.ts';
import { limitedBurst, offerLimits, offers, variantOf } from './offers.ts';

/** Appears in what broken parts throw. Nobody outside may ever see it. */
export const canary = 'CANARY-5f1c';

/** What the masking filter takes out of answers. */
export const secret = /SECRET-\d+/g;

/** Everybody who calls, by token. `none` presents nothing. */
export const callers = {
  alice: fakePrincipal({ subject: 'alice', scopes: ['lab:read'], credentialId: 'alice-1' }),
  bob: fakePrincipal({ subject: 'bob', kind: 'person', scopes: [], credentialId: 'bob-1' }),
  star: fakePrincipal({ subject: 'star', scopes: ['*'], credentialId: 'star-1' }),
  crew: fakePrincipal({ subject: 'crew', kind: 'service', scopes: ['*'], credentialId: 'crew-1' }),
  owner: fakePrincipal({
    ...{ subject: 'owner', kind: 'owner', scopes: ['*', 'admin:*'], credentialId: 'owner-1' },
    attributes: { cleared: true },
  }),
  /** Whose credential was given for something, and is good for nothing else. */
  meant: fakePrincipal({ subject: 'meant', scopes: ['*'], credentialId: 'meant-1', intent }),
  expired: 'credential_expired',
  revoked: 'credential_revoked',
  nobody: 'credential_invalid',
} as const satisfies Record<string, TokenFate>;

/** The name of a caller, which is its token. */
export type Caller = keyof typeof callers | 'none';

export const goodCallers = ['alice', 'bob', 'star', 'crew', 'owner', 'meant'] as const satisfies readonly Caller[];
export const badCallers = ['expired', 'revoked', 'nobody', 'none'] as const satisfies readonly Caller[];

/** The principal behind a caller, unless the credential is bad. */
export function principalOf(caller: Caller): Principal | undefined {
  const fate = caller === 'none' ? undefined : callers[caller];
  return typeof fate === 'string' ? undefined : fate;
}

const service = 'lab';
const tool = (name: string, more: Partial<ToolManifest> = {}): ToolManifest => ({
  ...{ name: `Tools.${name}`, description: `${name}.`, inputSchema: { type: 'object' }, sideEffect: 'read' },
  ...more,
});

/** The service of the laws: one tool for each way a call can end, and what else there is to offer. */
export const manifest: ServiceManifest = {
  service,
  version: '1.0.0',
  owner: 'laws',
  ...offers,
  tools: [
    tool('Amount'),
    tool('Asks', { scopes: ['lab:read'] }),
    tool('Audited', { auditRequired: true, sideEffect: 'write' }),
    tool('Broken', { outputSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] } }),
    tool('Contained'),
    tool('Crash'),
    tool('Echo'),
    tool('Either', { scopes: ['lab:admin', 'lab:read'] }),
    tool('Fails'),
    tool('Hidden'),
    tool('HiddenFully', {
      ...{ auditRequired: true, scopes: ['lab:write'], timeoutMs: 1 },
      inputSchema: {
        type: 'object',
        properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
        required: ['region'],
      },
    }),
    tool('Internal', { internal: true }),
    tool('Keeps', { task: 'optional', scopes: ['lab:read'] }),
    tool('Kept', { scopes: ['lab:read'] }),
    tool('KeptBroken', {
      outputSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] },
    }),
    tool('Limited'),
    tool('Param', {
      inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
    }),
    tool('Quota'),
    tool('Scoped', { scopes: ['lab:write'] }),
    tool('Secret'),
    tool('Slow', { timeoutMs: 15 }),
    tool('Strict', {
      inputSchema: {
        type: 'object',
        properties: { title: { type: 'string', minLength: 1 } },
        required: ['title'],
        additionalProperties: false,
      },
    }),
    tool('Suspended'),
    tool('Uncredentialed'),
  ],
};

const waiting: (() => void)[] = [];

/** Lets those calls of `Kept` end that were told to wait. */
export function letGo(): void {
  for (const go of waiting.splice(0)) go();
}

const behaviours: Readonly<Record<string, Handler>> = {
  'Tools.Broken': () => ({ ok: 'no' }),
  'Tools.Crash': () => {
    throw new Error(`${canary}: the service crashed`);
  },
  'Tools.Fails': (): CallToolResult => ({
    content: [{ type: 'text', text: 'no such thing' }],
    isError: true,
    _meta: { 'dev.sallyport/error': { code: 'not_found', message: 'no such thing' } },
  }),
  'Tools.KeptBroken': () => ({ ok: 'no' }),
  'Tools.Kept': async (args) => {
    await new Promise<void>((resolve) => void (args.wait === true ? waiting.push(resolve) : setTimeout(resolve, 0)));
    return args;
  },
  'Tools.Secret': () => ({ text: 'a SECRET-1234 and more', nested: { list: ['SECRET-77'] } }),
  'Tools.Slow': (_args, { signal }) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve({ late: true }), { once: true })),
};

/** What was served: which handler ran, for which call, and what it gave back. */
export interface Served {
  readonly callId: string;
  readonly handler: string;
  readonly subject: string;
  readonly output?: JsonValue | CallToolResult;
}

/** The handlers of the lab, each of which tells what it served. */
export function labHandlers(onServed: (served: Served) => void): Readonly<Record<string, Handler>> {
  return Object.fromEntries(
    manifest.tools.map(({ name }) => [
      name,
      async (args, context) => {
        const served = { callId: context.callId, handler: name, subject: context.principal.subject };
        onServed(served);
        const output = await (behaviours[name] ?? ((input) => input))(args, context);
        onServed({ ...served, output });
        return output;
      },
    ]),
  );
}

/** The kinds of the lab: a policy, an approver, a quota, a credential source, a filter and a containment. */
export function labKinds(): Required<ExtraKinds> {
  const is = (name: string) => (permit: { readonly target: { readonly name: string } }) =>
    variantOf(permit.target.name) === name;
  return {
    policyEngines: [
      {
        decide({ action, resource, subject, context }) {
          const isHidden = variantOf(resource.id).startsWith('Hidden') && subject.attributes.cleared !== true;
          const amount = Number(context.arguments?.amount ?? 0);
          const isTooMuch = action === 'invoke' && resource.id.endsWith('.Amount') && amount > 100;
          return isHidden || isTooMuch
            ? { effect: 'deny', policies: ['lab'], explanation: canary }
            : { effect: 'abstain', policies: [] };
        },
        revision: () => 'lab/1',
      },
    ],
    attributeSources: [],
    approvers: [
      {
        approve: (permit) =>
          is('Suspended')(permit) || is('HiddenFully')(permit)
            ? { kind: 'suspended', question: 'q-1', reason: 'somebody must agree' }
            : noHold,
      },
    ],
    quotas: [
      {
        reserve(permit) {
          if (is('Quota')(permit)) throw new GatewayError('quota_exhausted');
          return noHold;
        },
      },
    ],
    credentialSources: [
      {
        credential(permit) {
          if (is('Uncredentialed')(permit)) throw new GatewayError('credential_unavailable', {}, { cause: canary });
          return undefined;
        },
      },
    ],
    outputFilters: [
      {
        filter: (_permit, answer) => ({ ...answer, text: masked(answer.text) }),
        notification: (_target, text) => ({ text: masked(text) }),
      },
    ],
    containments: [{ contains: (_principal, { name }) => ['Contained', 'HiddenFully'].includes(variantOf(name)) }],
  };
}

const masked = (text: JsonText): JsonText => text.replace(secret, '[masked]') as JsonText;

/** The overrides of the lab: what is limited tightly, and nothing else is. */
export const overrides: readonly LimitOverride[] = [
  { pattern: '*', limit: { perPrincipal: { rate: 1, burst: 100_000 }, perTool: { rate: 1, burst: 1_000_000 } } },
  { pattern: 'lab.Tools.HiddenFully', limit: { perPrincipal: { rate: 0.001, burst: 1 } } },
  ...['Asks', 'Keeps', 'Kept', 'Limited'].map((name) => ({
    pattern: `lab.Tools.${name}`,
    limit: { perPrincipal: { rate: 0.001, burst: limitedBurst } },
  })),
  ...offerLimits,
];
