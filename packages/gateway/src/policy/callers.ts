import { all, any, has, likePattern, not, quoted } from './expression.ts';

/** Whether the caller is one of those that `agent:support-*` and the like stand for. */
export function isOneOf(callers: readonly string[]): string {
  return any(callers.map(isCaller));
}

function isCaller(caller: string): string {
  if (caller === '*') return 'true';
  const at = caller.indexOf(':');
  return makers[caller.slice(0, at)]?.(caller.slice(at + 1)) ?? 'false';
}

const makers: Readonly<Record<string, (name: string) => string>> = {
  // Who acts: the innermost agent of a delegation, else an account that is an agent's own.
  agent: (name) =>
    any([
      all([has('principal', 'actor'), equal('principal.actor', name)]),
      all([not(has('principal', 'actor')), 'principal.kind == "agent"', equal('principal.subject', name)]),
    ]),
  app: (name) => all([has('principal', 'app'), equal('principal.app', name)]),
  user: (name) => all(['principal.kind == "person"', equal('principal.subject', name)]),
  service: (name) => all(['principal.kind == "service"', equal('principal.subject', name)]),
  group: (name) => `principal in Group::${quoted(name)}`,
  scope: (name) => `principal.scopes.containsAny([${covering(name).map(quoted).join(', ')}])`,
  client: (name) => equal('principal.client', name),
  tenant: (name) => all([has('principal', 'tenant'), equal('principal.tenant', name)]),
  kind: (name) => `principal.kind == ${quoted(name)}`,
};

function equal(left: string, name: string): string {
  return name.includes('*') ? `${left} like ${likePattern(name)}` : `${left} == ${quoted(name)}`;
}

/** The scopes that are enough where this one is asked for. */
function covering(scope: string): readonly string[] {
  const parts = scope.split(':');
  const wider = parts.slice(0, -1).map((_, index) => `${parts.slice(0, index + 1).join(':')}:*`);
  return [scope, ...wider, ...(scope.startsWith('admin:') ? [] : ['*'])];
}
