import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { beforeAll, expect, it } from 'vitest';
import { type Cedar, loadCedar } from '../cedar.ts';
import type { Placed } from './frame.ts';
import { applicableOf, createSlices } from './slices.ts';
import { Entity, entityKey } from './values.ts';

let cedar: Cedar;
beforeAll(async () => {
  cedar = await loadCedar();
});

function policy(head: string): { readonly head: string; readonly json: PolicyJson } {
  const answer = cedar.policyToJson(`permit(${head});`);
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  return { head, json: answer.json };
}

function placed(type: string, id: string, within: readonly (readonly [string, string])[] = []): Placed {
  const entity = new Entity(type, id);
  return { entity, within: new Set([entity.key, ...within.map(([group, name]) => entityKey(group, name))]) };
}

const principal = placed('Principal', 'ada', [['Group', 'staff']]);
const action = placed('Action', 'pay.Refund', [
  ['Action', 'call'],
  ['Action', 'write'],
]);
const resource = placed('Tool', 'pay.Refund', [['Service', 'pay']]);

it('finds a policy by all of its head, and once', () => {
  const fitting = [
    'principal, action, resource',
    'principal == Principal::"ada", action in Action::"call", resource is Tool',
    'principal is Principal in Group::"staff", action == Action::"pay.Refund", resource in Service::"pay"',
    'principal, action in [Action::"read", Action::"write", Action::"call", Action::"write"], resource == Tool::"pay.Refund"',
    'principal in Principal::"ada", action in Action::"pay.Refund", resource in Tool::"pay.Refund"',
  ];
  const others = [
    'principal == Group::"staff", action, resource',
    'principal, action == Action::"call", resource',
    'principal, action, resource == Service::"pay"',
    'principal is Group, action, resource',
    'principal, action in [], resource',
    'principal, action == Action::"pay.Refund", resource in Service::"other"',
    'principal, action in Action::"read", resource == Tool::"pay.Refund"',
    'principal, action, resource is Prompt in Service::"pay"',
  ];
  const slices = createSlices([...others, ...fitting, ...others].map(policy));
  const found = applicableOf(slices.of(action, resource), { principal, action, resource });
  expect(found.map(({ head }) => head)).toEqual(fitting);
});

it('looks at few of thousands, and keeps nothing for each question', () => {
  const heads = Array.from({ length: 1_000 }, (_, place) => [
    `principal, action == Action::"tool${place}", resource`,
    `principal in Group::"group${place}", action, resource`,
    `principal, action in Action::"call", resource in Service::"service${place}"`,
  ]).flat();
  const slices = createSlices([...heads, 'principal, action == Action::"pay.Refund", resource'].map(policy));
  const found = slices.of(action, resource);
  expect(found.flatMap(({ forAnybody }) => forAnybody)).toHaveLength(1);
  expect(found).toHaveLength(2);
  // The general ones are the same object for all that is asked.
  expect(slices.of(placed('Action', 'x'), resource)).toEqual([found[0]]);
  expect(slices.of(placed('Action', 'x'), resource)[0]).toBe(found[0]);
});
