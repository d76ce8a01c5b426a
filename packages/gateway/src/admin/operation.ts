import type { CancelSignal, Principal } from '@sallyport/core';
import type { JsonObject, JsonValue, ServiceManifest, ToolManifest } from '@sallyport/protocol';

/** Who asks, and until when somebody waits for the answer. */
export interface OperationContext {
  readonly principal: Principal;
  readonly signal: CancelSignal;
}

/**
 * Does one administrative operation. The arguments have been checked against its schema.
 *
 * @throws GatewayError `not_found`, `conflict`, `invalid_input` or `insufficient_scope`.
 */
export type OperationHandler = (args: JsonObject, context: OperationContext) => Promise<JsonValue>;

/** One operation: how it is declared, and what it does. */
export interface Operation {
  readonly tool: ToolManifest;
  readonly handler: OperationHandler;
}

/** All operations as one service: what it declares, and what does it. */
export interface AdminOperations {
  readonly manifest: ServiceManifest;
  readonly handlers: ReadonlyMap<string, OperationHandler>;
}

/** Declares an operation that only looks. @param scopes of which one is enough. */
export function reading(
  name: string,
  scopes: string | readonly string[],
  rest: Omit<ToolManifest, 'name' | 'scopes'>,
): ToolManifest {
  return {
    ...rest,
    name,
    scopes: [scopes].flat(),
    sideEffect: 'read',
    classification: 'confidential',
    owner: 'sallyport',
  };
}

/** Declares an operation that changes who may do what: its intent is on record before it happens. @param scopes of which one is enough. */
export function changing(
  name: string,
  scopes: string | readonly string[],
  rest: Omit<ToolManifest, 'name' | 'scopes'>,
): ToolManifest {
  return {
    sideEffect: 'write',
    ...rest,
    name,
    scopes: [scopes].flat(),
    classification: 'restricted',
    risk: 'high',
    owner: 'sallyport',
    auditRequired: true,
  };
}
