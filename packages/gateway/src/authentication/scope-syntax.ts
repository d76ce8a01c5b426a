import { GatewayError } from '@sallyport/core';

const pattern = /^[a-z0-9_.-]+(:[a-z0-9_.*-]+)*$|^\*$/;
const longestScope = 128;

/** Whether this is a scope as tokens may hold it: `posts:write`, a pattern as `posts:*`, or `*`. Lower case only. */
export function isScope(text: string): boolean {
  return text.length <= longestScope && pattern.test(text);
}

/** Whether this scope is about administration. Only `admin:*` may give these away, and `*` is none of them. */
export function isAdminScope(scope: string): boolean {
  return scope === 'admin' || scope.startsWith('admin:');
}

/** @throws GatewayError `invalid_input` that names every scope that is none. */
export function refuseBadScopes(scopes: readonly string[]): void {
  const issues = scopes.flatMap((scope, at) =>
    isScope(scope) ? [] : [`/scopes/${at}: has to match ${pattern.source}`],
  );
  if (issues.length > 0) throw new GatewayError('invalid_input', { issues });
}
