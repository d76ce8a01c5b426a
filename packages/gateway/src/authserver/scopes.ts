/** What one scope opens, as far as is known now. */
export interface ScopeOnOffer {
  readonly scope: string;
  /** The tools that ask for it, as people call them. */
  readonly tools: readonly {
    readonly title: string;
    readonly service: string;
    readonly effect: 'read' | 'write' | 'destructive';
  }[];
}

/** Scopes that are between a client and this server, and say nothing of tools. */
export const serverScopes: ReadonlySet<string> = new Set(['openid', 'offline_access']);

/** Whether a text may be a scope of a token: a name, not a pattern, and nothing of administration. */
export function isToolScope(scope: string): boolean {
  if (serverScopes.has(scope) || scope === 'admin' || scope.startsWith('admin:')) return false;
  return /^[\x21\x23-\x29\x2b-\x5b\x5d-\x7e]{1,200}$/.test(scope);
}

/** Whether what somebody holds (a scope, `posts:*`, or `*`) covers a scope. Never one of administration. */
export function holds(held: readonly string[], scope: string): boolean {
  if (!isToolScope(scope)) return false;
  return held.some((one) => one === '*' || one === scope || (one.endsWith(':*') && scope.startsWith(one.slice(0, -1))));
}

/** A scope in words, for the consent page. */
export interface ScopeInWords {
  /** What can be done with it. */
  readonly what: string;
  /** Where, and how far it goes. */
  readonly where: string;
}

/** Says what a scope opens, by the tools that ask for it: names of scopes are for programs. */
export function describeScope(scope: string, offered: ScopeOnOffer | undefined): ScopeInWords {
  const tools = offered?.tools ?? [];
  if (tools.length === 0) return { what: `Use “${scope}”`, where: 'Nothing asks for it at the moment.' };
  const effects = tools.map(({ effect }) => effect);
  const effect = effects.includes('destructive')
    ? 'can delete or destroy'
    : effects.includes('write')
      ? 'can change things'
      : 'only looks';
  const services = listed([...new Set(tools.map(({ service }) => service))], 4);
  return { what: listed([...new Set(tools.map(({ title }) => title))], 6), where: `In ${services}; ${effect}.` };
}

function listed(names: readonly string[], most: number): string {
  const shown = names.slice(0, most);
  const more = names.length - shown.length;
  const all = more > 0 ? [...shown, `${more} more`] : shown;
  const last = all.at(-1) ?? '';
  return all.length > 1 ? `${all.slice(0, -1).join(', ')} and ${last}` : last;
}
