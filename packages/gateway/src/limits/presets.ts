import type { RateLimit, Target } from '@sallyport/core';
import { compileOverrides } from './patterns.ts';

/** The kinds of tools that have limits of their own. */
export type PresetName = 'read' | 'write' | 'expensive' | 'internal';

/** Limits of one principal on one tool, by kind of tool. */
export type Presets = Readonly<Record<PresetName, RateLimit>>;

/** What applies when nothing is configured. */
export const defaultPresets: Presets = {
  read: { rate: 50, burst: 100 },
  write: { rate: 10, burst: 20 },
  expensive: { rate: 2, burst: 5 },
  internal: { rate: 100, burst: 200 },
};

/** How many principals at full speed a tool bears, unless it is said. */
export const perToolFactor = 10;

/** A tool's own limits; what is absent comes from the preset that fits the tool. */
export interface ToolLimit {
  readonly preset?: PresetName;
  readonly perPrincipal?: RateLimit;
  readonly perTool?: RateLimit;
}

/** Limits for the tools that a pattern matches. Later ones replace earlier ones whole. */
export interface LimitOverride {
  readonly pattern: string;
  readonly limit?: ToolLimit;
}

/** The two limits that hold for a tool. */
export interface ToolLimits {
  /** What the buckets are named by. */
  readonly name: string;
  /** Of one principal. */
  readonly perPrincipal: RateLimit;
  /** Of all together. */
  readonly perTool: RateLimit;
}

/** The preset that fits what a tool declares: internal before expensive before reading; all the rest writes. */
export function presetFor(tool: Pick<Target, 'internal' | 'expensive' | 'sideEffect'>): PresetName {
  if (tool.internal) return 'internal';
  if (tool.expensive) return 'expensive';
  return tool.sideEffect === 'read' ? 'read' : 'write';
}

/** Finds the limits of a tool; remembers them as long as the tool is in use. */
export function createToolLimits(
  presets: Presets,
  overrides: readonly LimitOverride[],
): (target: Target) => ToolLimits {
  const overrideFor = compileOverrides(overrides);
  const known = new WeakMap<Target, ToolLimits>();
  return (target) => {
    const found = known.get(target);
    if (found) return found;
    const name = limitedName(target);
    const own: ToolLimit = overrideFor(name).limit ?? {};
    const perPrincipal = own.perPrincipal ?? presets[own.preset ?? presetFor(target)];
    const perTool = own.perTool ?? {
      rate: perPrincipal.rate * perToolFactor,
      burst: perPrincipal.burst * perToolFactor,
    };
    const limits = { name, perPrincipal, perTool };
    known.set(target, limits);
    return limits;
  };
}

/** What is not listed shares one limit at its service: whoever makes up URIs gets no more for it. */
function limitedName(target: Target): string {
  return target.capability === 'resource' && !target.listed ? `${target.service}.resources/*` : target.name;
}
