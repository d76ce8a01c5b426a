import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { equal, implies, integer, no, not, type Term, text, yes } from './smt.ts';
import type { Sort, Symbols } from './symbols.ts';
import { entity, type Scope } from './translate.ts';
import { type EntityValue, NotAnalysed, type Plain, plain, type RecordValue, type Uid, type Value } from './values.ts';

/** A type of a Cedar schema in its JSON form. */
export type CedarType = JsonObject;

/** The requests of one kind: calls of one tool. What it is does not change from call to call; who calls it, and with what, does. */
export interface RequestKind {
  readonly action: Uid;
  readonly actionGroups: readonly Uid[];
  readonly resource: Uid;
  /** What it belongs to. */
  readonly resourceParents: readonly Uid[];
  readonly resourceAttributes: JsonObject;
  readonly principalType: string;
  /** Shape of callers and of contexts: records. */
  readonly principal: CedarType;
  readonly context: CedarType;
}

/** A request of that kind with everything unknown that may differ. */
export function symbolicRequest(kind: RequestKind, symbols: Symbols): Scope {
  return {
    principal: caller(kind, symbols),
    action: known(kind.action, kind.actionGroups, undefined),
    resource: known(kind.resource, kind.resourceParents, recordOfLiterals(kind.resourceAttributes)),
    context: unknown(kind.context, 'context', symbols),
  };
}

function caller({ principalType, principal }: RequestKind, symbols: Symbols): EntityValue {
  const record = unknown(principal, 'principal', symbols);
  if (record.kind !== 'record') throw new NotAnalysed('callers without attributes');
  const is = ({ type, id }: Uid): Term =>
    type === principalType ? equal(symbols.of('principal', 'string'), text(id)) : no;
  return {
    kind: 'entity',
    type: principalType,
    is,
    within: (uid) =>
      uid.type === principalType ? is(uid) : symbols.of(`principal in ${uid.type}::${JSON.stringify(uid.id)}`, 'bool'),
    record,
  };
}

function known(uid: Uid, parents: readonly Uid[], record: RecordValue | undefined): EntityValue {
  const itself = entity(uid);
  const isParent = (other: Uid): boolean => parents.some(({ type, id }) => type === other.type && id === other.id);
  return {
    ...itself,
    within: (other) => (isParent(other) ? yes : itself.is(other)),
    ...(record && { record }),
  };
}

function recordOfLiterals(attributes: JsonObject): RecordValue {
  return {
    kind: 'record',
    attribute: (name) => {
      const value = attributes[name];
      return value === undefined ? undefined : { present: yes, value: literalOf(value) };
    },
  };
}

function literalOf(value: JsonValue): Value {
  if (typeof value === 'boolean') return plain('bool', value ? yes : no);
  if (typeof value === 'number') return plain('long', integer(BigInt(value)));
  if (typeof value === 'string') return plain('string', text(value));
  if (Array.isArray(value)) return { kind: 'set', elements: value.map(literalOf) };
  if (isJsonObject(value)) return recordOfLiterals(value);
  throw new NotAnalysed('an attribute without a value');
}

const sorts: ReadonlyMap<string, Sort> = new Map<string, Sort>([
  ['Bool', 'bool'],
  ['Boolean', 'bool'],
  ['Long', 'long'],
  ['String', 'string'],
  ['decimal', 'decimal'],
  ['datetime', 'datetime'],
  ['duration', 'duration'],
]);

function unknown(type: JsonValue | undefined, path: string, symbols: Symbols): Value {
  if (!isJsonObject(type)) throw new NotAnalysed(`${path}, which has no type`);
  const name = type.type === 'Extension' || type.type === 'EntityOrCommon' ? String(type.name) : String(type.type);
  const sort = sorts.get(name);
  if (sort !== undefined) return plain(sort, symbols.of(path, sort));
  if (name === 'Set') return unknownSet(path, symbols);
  if (name === 'Record') return unknownRecord(isJsonObject(type.attributes) ? type.attributes : {}, path, symbols);
  throw new NotAnalysed(`${path}, which is of the type ${name}`);
}

function unknownSet(path: string, symbols: Symbols): Value {
  const isEmpty = symbols.of(`${path} is empty`, 'bool');
  const has = ({ term }: Plain): Term => {
    const holds = symbols.of(`${path} contains ${term}`, 'bool');
    symbols.assume(implies(holds, not(isEmpty)));
    return holds;
  };
  return { kind: 'set', has, isEmpty };
}

/** Attributes are made when a policy looks at them: a solver is asked of nothing else. */
function unknownRecord(attributes: JsonObject, path: string, symbols: Symbols): RecordValue {
  return {
    kind: 'record',
    attribute: (name) => {
      const type = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
      if (!isJsonObject(type)) return undefined;
      const inner = `${path}.${name}`;
      const present = type.required === false ? symbols.of(inner, 'bool', true) : yes;
      return { present, value: unknown(type, inner, symbols) };
    },
  };
}
