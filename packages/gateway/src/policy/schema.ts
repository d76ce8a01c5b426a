import type { ActionType, SchemaJson, Type } from '@cedar-policy/cedar-wasm/nodejs';
import type { PolicyTool } from './compile.ts';
import { typeOfSchema } from './engine/argument-types.ts';
import type { ArgumentType, AttributeType, PolicySettings } from './types.ts';

type CedarType = Type<string> & { required?: boolean };
type Members = Record<string, CedarType>;

/** What the schema is made from. */
export interface SchemaParts {
  readonly tools: readonly PolicyTool[];
  readonly settings: PolicySettings;
  /** Arguments of prompts and the like, all of which are texts and may be absent. */
  readonly texts?: readonly string[];
}

const text: CedarType = { type: 'String' };
const long: CedarType = { type: 'Long' };
const flag: CedarType = { type: 'Boolean' };
const texts: CedarType = { type: 'Set', element: { type: 'String' } };
const optional = (type: CedarType): CedarType => ({ ...type, required: false });
const record = (attributes: Members): CedarType => ({ type: 'Record', attributes });

const attributeTypes: Readonly<Record<AttributeType, CedarType>> = {
  string: text,
  long,
  boolean: flag,
  strings: texts,
};

/** What things other than tools are in Cedar, and the action there is on each. */
const others = {
  Prompt: 'get-prompt',
  Resource: 'read-resource',
  Template: 'read-template',
  Method: 'call-method',
} as const;

/** The Cedar schema of a catalog: each tool is an action with its own arguments. In Cedar's JSON form. */
export function cedarSchema({ tools, settings, texts: named = [] }: SchemaParts): SchemaJson<string> {
  const target = { memberOfTypes: ['Service'], shape: record(targetMembers) };
  const group = { memberOfTypes: [] };
  return {
    '': {
      entityTypes: {
        Principal: {
          memberOfTypes: ['Group', 'Kind', 'Tenant', 'App', 'Agent', 'Client'],
          shape: record(principalMembers(settings)),
        },
        ...{ Group: group, Tenant: group, App: group, Agent: group, Client: group, Service: group },
        Kind: { enum: ['person', 'agent', 'service', 'owner'] },
        ...{ Tool: target, Prompt: target, Resource: target, Template: target, Method: target },
      },
      actions: { ...groups(), ...toolActions({ tools, settings }), ...otherActions(settings, named) },
    },
  };
}

const targetMembers: Members = {
  ...{ name: text, service: text, classification: text, risk: text, sideEffect: text, owner: text },
  ...{ internal: flag, classificationLevel: long },
};

function principalMembers({ attributes }: PolicySettings): Members {
  const declared = Object.entries(attributes).map(([name, type]) => [name, optional(attributeTypes[type])] as const);
  return {
    ...{ kind: text, subject: text, client: text, actors: texts, scopes: texts },
    ...{ app: optional(text), tenant: optional(text), session: optional(text), actor: optional(text) },
    intent: optional(record({ id: text })),
    attributes: record(Object.fromEntries(declared)),
  };
}

function groups(): SchemaJson<string>['']['actions'] {
  return Object.fromEntries(['call', 'read', 'write', 'destructive'].map((name) => [name, {}]));
}

function toolActions({ tools, settings }: SchemaParts): SchemaJson<string>['']['actions'] {
  // Which side effect a tool has is known when it is called: a policy on one of them is checked with every tool.
  const memberOf = ['call', 'read', 'write', 'destructive'].map((id) => ({ id }));
  const actions = tools.map(({ name, inputSchema }): [string, ActionType<string>] => {
    const type = cedarType(typeOfSchema(inputSchema)) ?? record({});
    const context = record(contextMembers(type, settings));
    return [name, { memberOf, appliesTo: { principalTypes: ['Principal'], resourceTypes: ['Tool'], context } }];
  });
  return Object.fromEntries(actions);
}

function otherActions(settings: PolicySettings, named: readonly string[]): SchemaJson<string>['']['actions'] {
  const members = ['uri', ...named]
    .filter((name) => !reserved.test(name))
    .map((name) => [name, optional(text)] as const);
  const context = record(contextMembers(record(Object.fromEntries(members)), settings));
  return Object.fromEntries(
    Object.entries(others).map(([type, name]) => [
      name,
      { appliesTo: { principalTypes: ['Principal'], resourceTypes: [type], context } },
    ]),
  );
}

function contextMembers(args: CedarType, { environment, zones = [] }: PolicySettings): Members {
  const clock = record({ minute: long, weekday: long, date: text });
  return {
    arguments: args,
    now: { type: 'Extension', name: 'datetime' },
    zones: record(Object.fromEntries(zones.map((zone) => [zone, clock]))),
    environment: environment === undefined ? optional(text) : text,
    transport: text,
    method: optional(text),
    risk: optional(long),
    purpose: optional(text),
    facts: record({ novel: optional(flag) }),
  };
}

/** Names that Cedar's JSON keeps for itself. */
const reserved = /^__/;

/** Undefined: there is no such type in Cedar, and what has it is not there for policies. */
function cedarType(type: ArgumentType): CedarType | undefined {
  switch (type.kind) {
    case 'long':
      return long;
    case 'decimal':
      return { type: 'Extension', name: 'decimal' };
    case 'string':
      return text;
    case 'boolean':
      return flag;
    case 'set': {
      const element = cedarType(type.element);
      return element === undefined ? undefined : { type: 'Set', element };
    }
    case 'record': {
      const members = Object.entries(type.members).flatMap(([name, member]) => {
        const inner = reserved.test(name) ? undefined : cedarType(member.type);
        return inner === undefined ? [] : [[name, member.required ? inner : optional(inner)] as const];
      });
      return record(Object.fromEntries(members));
    }
    case 'untyped':
      return undefined;
    default:
      return type satisfies never;
  }
}
