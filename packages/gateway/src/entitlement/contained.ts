import {
  type Actor,
  type ContainedKind,
  compilePattern,
  type NewContainment,
  type Principal,
  type Target,
} from '@sallyport/core';

/** What one containment says, compiled. A call is contained where both sides say so. */
export interface Contained {
  /** Absent: whoever calls. */
  readonly caller?: (principal: Principal) => boolean;
  /** Absent: whatever is called. */
  readonly target?: (target: Target) => boolean;
}

/** What is wrong with a value, in one sentence. */
export class ContainedError extends Error {
  override readonly name = 'ContainedError';
}

const longestValue = 512;

/** Reads what a containment is about. @throws ContainedError naming what to write instead. */
export function compileContained({ kind, value }: Pick<NewContainment, 'kind' | 'value'>): Contained {
  if (value === '' || value.length > longestValue || /[\p{C}\p{Zl}\p{Zp}]/u.test(value)) {
    throw new ContainedError(`expected a name of at most ${longestValue} visible characters`);
  }
  return kinds[kind](value);
}

/** Whoever calls, and whoever's call it is that a service is serving meanwhile; and so on, to the first. */
export function callersOf(principal: Principal): readonly Principal[] {
  const callers = [principal];
  for (let one = principal.serving; one !== undefined; one = one.serving) callers.push(one);
  return callers;
}

/** Everybody who had a part in a call: who it is for, and who acts for whom. */
export function agentsOf({ subject, actor, kind }: Pick<Principal, 'subject' | 'actor' | 'kind'>): readonly string[] {
  const names = kind === 'agent' ? [subject] : [];
  for (let one: Actor | undefined = actor; one !== undefined; one = one.actor) names.push(one.subject);
  return names;
}

const kinds: Readonly<Record<ContainedKind, (value: string) => Contained>> = {
  principal: (value) => ({ caller: ({ subject }) => subject === value }),
  // Put together and compared, never taken apart: both names may hold slashes.
  account: (value) => ({ caller: ({ tenant, subject }) => `${tenant ?? ''}/${subject}` === value }),
  tenant: (value) => ({ caller: ({ tenant }) => tenant === value }),
  client: (value) => ({ caller: ({ client }) => client === value }),
  agent: (value) => ({ caller: (principal) => agentsOf(principal).includes(value) }),
  'agent-class': (value) => ({ caller: agentClass(value) }),
  tool: (value) => ({ target: namedLike(value) }),
  upstream: (value) => ({ target: ({ service }) => service === value }),
  class: (value) => {
    const at = value.indexOf('@');
    if (at === -1) throw new ContainedError('expected tools and agents, such as destructive@kind:agent');
    return { target: toolClass(value.slice(0, at)), caller: agentClass(value.slice(at + 1)) };
  },
};

const accountKinds: readonly Principal['kind'][] = ['person', 'agent', 'service', 'owner'];

function agentClass(text: string): (principal: Principal) => boolean {
  const [word, rest] = split(text);
  const isLike = compilePattern(rest);
  switch (word) {
    case 'kind':
      if (!accountKinds.some((kind) => kind === rest)) {
        throw new ContainedError(`expected one of ${accountKinds.join(', ')} after kind:`);
      }
      // Whoever acts for somebody else is an agent, whatever kind of account that is; but for services, which serve both.
      return (principal) => principal.kind === rest || (rest === 'agent' && agentsOf(principal).some(isNoService));
    case 'agent':
      return (principal) => agentsOf(principal).some(isLike);
    case 'client':
      return ({ client }) => isLike(client);
    case 'app':
      return ({ app }) => app !== undefined && isLike(app);
    case 'tenant':
      return ({ tenant }) => tenant !== undefined && isLike(tenant);
    default:
      throw new ContainedError('expected agents as kind:agent, agent:support-*, client:…, app:… or tenant:…');
  }
}

function isNoService(name: string): boolean {
  return !name.startsWith('service:');
}

const sideEffects: readonly Target['sideEffect'][] = ['read', 'write', 'destructive'];

function toolClass(text: string): (target: Target) => boolean {
  if (sideEffects.some((one) => one === text)) return ({ sideEffect }) => sideEffect === text;
  const [word, rest] = split(text);
  switch (word) {
    case 'tool':
      return namedLike(rest);
    case 'upstream':
      return ({ service }) => service === rest;
    case 'classification':
      return ({ classification }) => classification === rest;
    case 'risk':
      return ({ risk }) => risk === rest;
    default:
      throw new ContainedError(
        'expected tools as read, write, destructive, tool:posts.*, upstream:…, classification:… or risk:…',
      );
  }
}

/** A tool by any name it goes by. */
function namedLike(pattern: string): (target: Target) => boolean {
  const isLike = compilePattern(pattern);
  return ({ name }) => isLike(name);
}

function split(text: string): readonly [word: string, rest: string] {
  const at = text.indexOf(':');
  if (at === -1 || at === text.length - 1) return ['', text];
  return [text.slice(0, at), text.slice(at + 1)];
}
