import { createHash } from 'node:crypto';
import { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Operation, OperationHandler } from './operation.ts';

/** Under which name an answer has the tag of what it shows. */
export const etagKey = 'dev.sallyport/etag';

/** The entity tag of what was shown (RFC 9110 §8.8.3): strong, of the text of the result. */
export function entityTag(resultText: string): string {
  return `"${createHash('sha256').update(resultText).digest('base64url').slice(0, 22)}"`;
}

/** What shows the thing that an operation changes. */
export interface Guard {
  /** Name of the operation that shows it. */
  readonly by: string;
  /** What that is to be asked, made of what the change was asked. Default: nothing. */
  readonly args?: (args: JsonObject) => JsonObject;
}

const approval: Guard = { by: 'approvals.show', args: ({ id }) => ({ id: id ?? null }) };

/** The operations that change something which another one shows. */
const guards: Readonly<Partial<Record<string, Guard>>> = {
  'accounts.disable': { by: 'accounts.list' },
  'accounts.enable': { by: 'accounts.list' },
  'approvals.approve': approval,
  'approvals.reject': approval,
  'containment.contain': { by: 'containment.list' },
  'containment.restore': { by: 'containment.list' },
  'credentials.revoke': { by: 'credentials.list' },
  'intents.revoke': { by: 'intents.list' },
  'keys.rotate': { by: 'keys.list' },
  'policies.rollback': { by: 'policies.revisions' },
  'tokens.revoke': { by: 'tokens.list' },
  'tokens.rotate': { by: 'tokens.list' },
  ...Object.fromEntries(
    ['allow', 'delete', 'disable', 'enable', 'reset', 'untotp'].map((name) => [`users.${name}`, { by: 'users.list' }]),
  ),
};

/** What shows what the operation of this name changes. */
export function guardOf(name: string): Guard | undefined {
  return Object.hasOwn(guards, name) ? guards[name] : undefined;
}

const ifMatch: JsonObject = {
  type: 'string',
  maxLength: 200,
  description:
    'The ETag of what shows this, as it was seen: nothing is changed if that is not what it shows now. As the header If-Match.',
};

/** Gives operations that have a guard the argument `ifMatch`, and holds them to it. One after the other, so that of two that saw the same one is right. */
export function guard(operations: readonly Operation[]): readonly Operation[] {
  const handlers = new Map(operations.map(({ tool, handler }) => [tool.name, handler]));
  let last: Promise<unknown> = Promise.resolve();
  return operations.map((operation) => {
    const { tool, handler } = operation;
    const by = guardOf(tool.name);
    if (by === undefined) return operation;
    const look = handlers.get(by.by);
    if (look === undefined) throw new Error(`${tool.name} is guarded by ${by.by}, which is not there`);
    return {
      ...operation,
      tool: { ...tool, inputSchema: withIfMatch(tool.inputSchema) },
      handler: (given, context) => {
        const { ifMatch: wanted, ...args } = given;
        if (wanted === undefined) return handler(args, context);
        const change = async () => {
          await refuseIfChanged({ look, by, args, wanted: String(wanted) }, context);
          return handler(args, context);
        };
        const changed = last.then(change);
        last = changed.catch(() => undefined);
        return changed;
      },
    };
  });
}

interface Looking {
  readonly look: OperationHandler;
  readonly by: Guard;
  readonly args: JsonObject;
  readonly wanted: string;
}

async function refuseIfChanged(
  { look, by, args, wanted }: Looking,
  context: Parameters<OperationHandler>[1],
): Promise<void> {
  const tag = entityTag(JSON.stringify(await look(by.args?.(args) ?? {}, context)));
  const tags = wanted.split(',').map((one) => one.trim());
  if (!tags.includes('*') && !tags.includes(tag)) throw new GatewayError('precondition_failed');
}

function withIfMatch(schema: JsonObject): JsonObject {
  return { ...schema, properties: { ...(schema.properties as JsonObject), ifMatch } };
}
