import type { EntityUidJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Problem } from '../text/source.ts';
import { nearest } from '../text/suggest.ts';
import type { PolicyTool } from './compile.ts';
import type { PolicySource } from './source.ts';
import type { CedarPolicy } from './types.ts';

/** Names of tools in tool policies that no tool has: those policies are about nothing. */
export function unknownTools(
  { tools: policies }: PolicySource,
  tools: readonly Pick<PolicyTool, 'name'>[],
): readonly Problem[] {
  const names = new Set(tools.map(({ name }) => name));
  return policies.flatMap(({ policy, problem }) =>
    policy.tool.flatMap((pattern, index) => {
      // Prompts and resources have a slash in their names, and may come and go.
      if (pattern.includes('*') || pattern.includes('/') || names.has(pattern)) return [];
      return [problem(policy.tool.length === 1 ? ['tool'] : ['tool', index], messageFor(pattern, names))];
    }),
  );
}

/**
 * The same for a gateway that runs, where services come and go: only what a service is said to have that is there and has it not.
 * Policies in Cedar too, as far as their heads go.
 */
export function missingTools(source: PolicySource, tools: readonly Pick<PolicyTool, 'name'>[]): readonly Problem[] {
  const names = new Set(tools.map(({ name }) => name));
  const services = new Set(tools.map(({ name }) => serviceOf(name)));
  const isMissing = (name: string): boolean => services.has(serviceOf(name)) && !names.has(name);
  const there = { ...source, tools: source.tools.filter(({ policy }) => policy.tool.some(isMissing)) };
  const named = unknownTools(there, [...tools, ...namesElsewhere(there, services)]);
  const inCedar = source.cedar.flatMap(({ json, place }): readonly Problem[] =>
    place === undefined
      ? []
      : actionsOf(json)
          .filter(isMissing)
          .map((name) => ({ ...place, message: messageFor(name, names), frame: '' })),
  );
  return [...named, ...inCedar];
}

function namesElsewhere({ tools }: PolicySource, services: ReadonlySet<string>): readonly Pick<PolicyTool, 'name'>[] {
  return tools.flatMap(({ policy }) =>
    policy.tool.filter((name) => !services.has(serviceOf(name))).map((name) => ({ name })),
  );
}

function actionsOf({ action }: CedarPolicy['json']): readonly string[] {
  if (action.op === 'All') return [];
  const entities: readonly EntityUidJson[] =
    'entities' in action ? action.entities : 'entity' in action ? [action.entity] : [];
  return entities.map((entity) => ('__entity' in entity ? entity.__entity.id : entity.id));
}

function serviceOf(name: string): string {
  const end = name.indexOf('.');
  return end === -1 ? '' : name.slice(0, end);
}

function messageFor(name: string, names: ReadonlySet<string>): string {
  const near = nearest(name, [...names]);
  return near === undefined ? `there is no tool ${name}` : `there is no tool ${name}; did you mean "${near}"?`;
}
