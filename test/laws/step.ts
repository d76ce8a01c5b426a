import type { AuditRecord } from '@sallyport/core';
import type { Driver, Seen, SendOptions } from '@sallyport/testkit';
import fc from 'fast-check';
import { type Case, cases } from './cases.ts';
import { badCallers, type Caller, goodCallers, principalOf } from './lab.ts';
import { offerCases } from './offer-cases.ts';
import { isMount, type Way, ways } from './ways.ts';
import type { Departed } from './witness.ts';
import type { World } from './world.ts';

/** One call: which way in, by whom, of what kind. */
export interface Step {
  readonly way: Way;
  readonly caller: Caller;
  readonly one: Case;
}

/** What one step was seen to do, at every door. */
export interface Observation {
  readonly step: Step;
  readonly seen: Seen;
  /** Records of the call itself, without those of handshakes. */
  readonly records: readonly AuditRecord[];
  readonly intents: readonly AuditRecord[];
  readonly departed: readonly Departed[];
}

/** Takes one step, alone, and waits until its record is there. */
export async function take(world: World, step: Step): Promise<Observation> {
  const { way, caller, one } = step;
  const driver = world.driver(way, caller);
  world.freshLimits();
  if (principalOf(caller) === undefined) await world.closeRefusalWindow();
  for (let turn = 0; turn < (one.before ?? 0); turn++) await send(driver, one);
  const recordsBefore = world.audit.outcomes().length;
  const intentsBefore = world.audit.intents().length;
  const departedBefore = world.departed.length;
  const seen = await send(driver, one);
  await world.settled();
  return {
    step,
    seen,
    records: world.audit.outcomes().slice(recordsBefore).filter(isOfCall),
    intents: world.audit.intents().slice(intentsBefore),
    departed: world.departed.slice(departedBefore),
  };
}

/** Sends what a case is about. */
export function send(driver: Driver, { tool, args, ask, options }: Case, more: SendOptions = {}): Promise<Seen> {
  const all = { ...options, ...more };
  return ask === undefined ? driver.call(tool, args, all) : driver.ask(ask.method, ask.params, all);
}

/** Takes steps one after the other. */
export async function takeAll(world: World, steps: readonly Step[]): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  for (const step of steps) observations.push(await take(world, step));
  return observations;
}

function isOfCall({ verb }: AuditRecord): boolean {
  return verb === 'invoke' || verb === 'unreadable';
}

/** Whether a step can be taken: embedding and services send no text, and bridges and services always present something. */
export function isPossible({ way, caller, one }: Step): boolean {
  if (one.over?.(way) === false) return false;
  // A service that is mounted alone goes by its own names, and has no aliases.
  if (isMount(way) && one.tool.startsWith('lab_')) return false;
  if ((way === 'embedded' || way === 'hop') && one.asText === true) return false;
  return !((way === 'stdio-bridge' || way === 'bridge-session' || way === 'hop') && caller === 'none');
}

/** For reports of violations. */
export function describeStep({ way, caller, one }: Step): string {
  return `${one.name} by ${caller} over ${way}`;
}

/** Every case there is. */
export const allCases: readonly Case[] = [...cases, ...offerCases];

/** Who makes which calls, over which ways in. */
export interface Tour {
  readonly over: readonly Way[];
  readonly callers: readonly Caller[];
  readonly corpus: readonly Case[];
}

/** All of its steps that are possible. */
export function tour({ over, callers, corpus }: Tour): readonly Step[] {
  return over
    .flatMap((way) => callers.flatMap((caller) => corpus.map((one) => ({ way, caller, one }))))
    .filter(isPossible);
}

/** One random step. */
export const randomStep = fc
  .record({
    way: fc.constantFrom(...ways),
    caller: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...goodCallers) },
      { weight: 1, arbitrary: fc.constantFrom(...badCallers) },
    ),
    one: fc.constantFrom(...allCases),
  })
  .filter(isPossible);

/** Random sequences of steps. */
export const randomSteps = fc.array(randomStep, { minLength: 1, maxLength: 12 });
