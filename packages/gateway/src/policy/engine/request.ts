import type { AccessRequest, AttributeValue } from '@sallyport/core';
import { hasTwin, type JsonValue } from '@sallyport/protocol';
import type { ArgumentType, AttributeType, PolicySettings } from '../types.ts';
import { encode, isMembers, memberType, recordOf, reserved, setOf, textOf, untyped } from './encoding.ts';
import { decimalOfNumber } from './extensions.ts';
import { type Found, Missing, type Placed, type Read, refused, type Subject } from './frame.ts';
import type { Path } from './terms.ts';
import { anything, CedarRecord, Entity, Extension, entityKey, type Known } from './values.ts';
import { isZone, zoneTime } from './zones.ts';

const entityTypes = { tool: 'Tool', prompt: 'Prompt', resource: 'Resource', template: 'Template', method: 'Method' };

/** What is asked for that is no tool has one action for all of its kind; all of them are in `Action::"other"`. */
const actions = {
  prompt: 'get-prompt',
  resource: 'read-resource',
  template: 'read-template',
  method: 'call-method',
};

/** Who asks, and all that is in: groups, kind, tenant, app, agents, client. */
export function principalOf({ subject }: AccessRequest): Placed {
  const entity = new Entity('Principal', subject.subject);
  const within = new Set([entity.key, entityKey('Kind', subject.kind), entityKey('Client', subject.client)]);
  if (subject.tenant !== undefined) within.add(entityKey('Tenant', subject.tenant));
  if (subject.app !== undefined) within.add(entityKey('App', subject.app));
  for (let { actor } = subject; actor !== undefined; actor = actor.actor) within.add(entityKey('Agent', actor.subject));
  const groups = Object.hasOwn(subject.attributes, 'groups') ? subject.attributes.groups : undefined;
  if (typeof groups === 'string') within.add(entityKey('Group', groups));
  else if (Array.isArray(groups))
    for (const group of groups as readonly string[]) within.add(entityKey('Group', group));
  return { entity, within };
}

/** What is asked for: a call of a tool, in its side effect, or what there is to do with something else. */
export function actionOf({ type, id, sideEffect }: AccessRequest['resource']): Placed {
  const entity = new Entity('Action', type === 'tool' ? id : actions[type]);
  const groups = type === 'tool' ? ['call', sideEffect] : ['other'];
  return { entity, within: new Set([entity.key, ...groups.map((group) => entityKey('Action', group))]) };
}

/** What it is asked of, in its service. */
export function resourceOf({ type, id, service }: AccessRequest['resource']): Placed {
  const entity = new Entity(entityTypes[type], id);
  return { entity, within: new Set([entity.key, entityKey('Service', service)]) };
}

/** What a path leads to, in any request. What no request has is absent; what has no encoding is refused. */
export function readOf(path: Path, settings: PolicySettings): Read {
  const { root, names } = path;
  const [first, second] = names;
  if (root === 'action') return () => new Missing(0);
  // A variable as a whole has more in it than policies may ask for.
  if (first === undefined) return () => refused;
  if (root === 'principal') {
    const isDeclared = first === 'attributes' && second !== undefined;
    return isDeclared
      ? inside(path, attributeMember(second, settings), 1)
      : inside(path, principalMember(first, settings));
  }
  if (root === 'resource') return inside(path, resourceMember(first));
  if (first === 'arguments') return (subject) => argument(subject, path);
  if (first === 'zones') return second === undefined ? () => refused : inZone(names, second);
  if (first === 'facts' && second !== undefined) return inside(path, (subject) => fact(subject, second), 1);
  return inside(path, contextMember(first, settings));
}

/** Whether a path may lead to something that is not known before there are arguments, or that may have no encoding. */
export function mayBeRefused({ root, names }: Path): boolean {
  const [first = ''] = names;
  if (root === 'context') return ['', 'arguments', 'zones', 'risk', 'facts'].includes(first);
  return root === 'principal' || names.length === 0;
}

/** What there is directly below a variable. */
type Member = (subject: Subject) => Known | typeof refused | typeof anything | undefined;

/** Follows a path from what its name number `from` is. */
function inside({ names, isPresence }: Path, member: Member, from = 0): Read {
  const absent = new Missing(from);
  if (names.length === from + 1) {
    const instead = isPresence === true ? true : refused;
    return (subject) => {
      const found = member(subject) ?? absent;
      return found === refused ? instead : found;
    };
  }
  return (subject) => {
    let found = member(subject);
    if (found === undefined) return absent;
    for (let at = from + 1; at < names.length; at++) {
      if (found === refused || found === anything) return found;
      if (!(found instanceof CedarRecord)) return new Missing(at, found as Known);
      found = found.members.get(names[at] ?? '');
      if (found === undefined) return new Missing(at);
    }
    return found;
  };
}

function principalMember(name: string, { attributes }: PolicySettings): Member {
  const text = (value: string | undefined) => (value === undefined ? undefined : textOf(value));
  switch (name) {
    case 'kind':
    case 'subject':
    case 'client':
    case 'app':
    case 'tenant':
    case 'session':
      return ({ request }) => text(request.subject[name]);
    case 'actor':
      return ({ request }) => text(request.subject.actor?.subject);
    case 'actors':
      return ({ request }) => setOf(actorsOf(request));
    case 'scopes':
      return ({ request }) => setOf(request.subject.scopes);
    case 'intent':
      return ({ request: { subject } }) => subject.intent && recordOf([['id', textOf(subject.intent.id)]]);
    case 'attributes':
      return ({ request }) => attributesOf(request.subject.attributes, attributes);
    default:
      return () => undefined;
  }
}

function actorsOf({ subject }: AccessRequest): readonly string[] {
  const actors: string[] = [];
  for (let { actor } = subject; actor !== undefined; actor = actor.actor) actors.push(actor.subject);
  return actors;
}

/** Only declared ones. */
function attributesOf(
  values: AccessRequest['subject']['attributes'],
  types: PolicySettings['attributes'],
): Known | typeof refused {
  const members = Object.entries(types).flatMap(([name, type]) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value === undefined ? [] : [[name, attributeOf(value, type)] as const];
  });
  return recordOf(members);
}

function attributeMember(name: string, { attributes }: PolicySettings): Member {
  const type = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  if (type === undefined) return () => undefined;
  return ({ request: { subject } }) => {
    const value = Object.hasOwn(subject.attributes, name) ? subject.attributes[name] : undefined;
    return value === undefined ? undefined : attributeOf(value, type);
  };
}

function attributeOf(value: AttributeValue, type: AttributeType): Known | typeof refused {
  if (type === 'long') return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : refused;
  if (type === 'boolean') return typeof value === 'boolean' ? value : refused;
  if (type === 'string') return typeof value === 'string' ? textOf(value) : refused;
  if (typeof value === 'string') return setOf([value]);
  return typeof value === 'object' ? setOf(value) : refused;
}

/** Where a classification stands among all, from what is for everybody upwards. */
const levels = ['public', 'internal', 'confidential', 'restricted'];

function resourceMember(name: string): Member {
  switch (name) {
    case 'name':
      return ({ request }) => textOf(request.resource.id);
    case 'service':
    case 'classification':
    case 'risk':
    case 'sideEffect':
      return ({ request }) => textOf(request.resource[name]);
    case 'owner':
      return ({ request: { resource } }) => (resource.owner === undefined ? undefined : textOf(resource.owner));
    case 'internal':
      return ({ request }) => request.resource.internal;
    case 'classificationLevel':
      return ({ request }) => levelOf(request.resource.classification);
    default:
      return () => undefined;
  }
}

function levelOf(classification: string): number | typeof refused {
  const level = levels.indexOf(classification);
  return level === -1 ? refused : level;
}

function contextMember(name: string, { environment }: PolicySettings): Member {
  switch (name) {
    case 'now':
      return ({ request }) => new Extension('datetime', Math.floor(request.context.timeMs));
    case 'transport':
      return ({ request }) => (isAsked(request) ? anything : textOf(request.context.transport));
    case 'environment':
      return ({ request }) => textOrNone(request.context.environment ?? environment);
    case 'method':
      return ({ request }) => unlessAsked(request, request.context.method);
    case 'risk':
      return ({ request }) => riskOf(request);
    case 'purpose':
      return ({ request }) => textOrNone(request.subject.intent?.purpose);
    case 'facts':
      return ({ request }) => factsOf(request);
    default:
      return () => undefined;
  }
}

/** Whether the question is what may be called, with arguments that are not there yet. */
function isAsked({ action }: AccessRequest): boolean {
  return action === 'discover';
}

function unlessAsked(request: AccessRequest, text: string | undefined): ReturnType<Member> {
  return text === undefined && isAsked(request) ? anything : textOrNone(text);
}

function textOrNone(text: string | undefined): Known | typeof refused | undefined {
  return text === undefined ? undefined : textOf(text);
}

function riskOf(request: AccessRequest): ReturnType<Member> {
  const score = request.context.risk?.score;
  if (score === undefined) return isAsked(request) ? anything : undefined;
  return Number.isSafeInteger(score) ? score + 0 : refused;
}

/** Numbers among them are longs where they are integers, else decimals. */
function factsOf(request: AccessRequest): ReturnType<Member> {
  const { facts } = request.context;
  if (facts === undefined) return isAsked(request) ? anything : recordOf([]);
  return recordOf(Object.entries(facts).map(([name, fact]) => [name, factOf(fact)] as const));
}

function fact({ request }: Subject, name: string): ReturnType<Member> {
  const { facts } = request.context;
  if (facts === undefined) return isAsked(request) ? anything : undefined;
  const value = Object.hasOwn(facts, name) ? facts[name] : undefined;
  return value === undefined || reserved.has(name) ? undefined : factOf(value);
}

function factOf(fact: AttributeValue): Known | typeof refused {
  if (typeof fact === 'string') return textOf(fact);
  if (typeof fact === 'boolean') return fact;
  if (typeof fact !== 'number') return setOf(fact);
  if (Number.isInteger(fact)) return Number.isSafeInteger(fact) ? fact + 0 : refused;
  return decimalOfNumber(fact) ?? refused;
}

function inZone(names: readonly string[], zone: string): Read {
  const isKnown = isZone(zone);
  return (subject) => {
    if (!isKnown) return new Missing(1);
    const { minute, weekday, date } = zoneTime(zone, subject.request.context.timeMs);
    const all = { minute, weekday, date };
    const [, , member] = names;
    if (member === undefined) return recordOf(Object.entries(all));
    if (!Object.hasOwn(all, member)) return new Missing(2);
    const value = all[member as keyof typeof all];
    return names.length > 3 ? new Missing(3, value) : value;
  };
}

function argument(subject: Subject, { root, names, isPresence }: Path): Found {
  const { request, argumentType, assumed } = subject;
  const [, first] = names;
  const { arguments: given } = request.context;
  if (given === undefined && isAsked(request)) {
    const known = first === undefined ? undefined : assumed?.get(first);
    return known === undefined ? anything : inside({ root, names: names.slice(1) }, () => known)(subject);
  }
  const type = request.resource.type === 'tool' ? (argumentType ?? untyped) : undefined;
  return follow({ value: given ?? {}, type }, { names, isPresence: isPresence === true });
}

interface Typed {
  readonly value: JsonValue;
  /** Undefined: arguments of what is no tool, which are texts and nothing else. */
  readonly type: ArgumentType | undefined;
}

function follow(
  { value: first, type: declared }: Typed,
  { names, isPresence }: { readonly names: readonly string[]; readonly isPresence: boolean },
): Found {
  let value: JsonValue | undefined = first;
  let type = declared;
  for (let at = 1; at < names.length; at++) {
    if (!isMembers(value)) return insteadOfRecord(value, type, at);
    const name = names[at] ?? '';
    const { members } = type?.kind === 'record' ? type : noType;
    // A service may go by what no policy looked at.
    if (hasTwin(value, name, (other) => Object.hasOwn(members, other))) return refused;
    value = Object.hasOwn(value, name) ? value[name] : undefined;
    if (value === undefined || value === null) return new Missing(at);
    type = memberType(type, name);
  }
  if (isPresence) return isMembers(value) ? noMembers : true;
  return encode(value, type);
}

const noMembers = new CedarRecord(new Map());
const noType = { members: {} };

function insteadOfRecord(value: JsonValue, type: ArgumentType | undefined, at: number): Found {
  const instead = encode(value, type);
  return instead === refused ? refused : new Missing(at, instead);
}
