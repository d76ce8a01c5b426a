import { z } from 'zod';
import { timeWindow } from '../policy/tool-schema.ts';
import { listOf, names } from '../text/shapes.ts';
import { defaultRisk, defaultRiskWeights, type RiskSettings } from './risk-settings.ts';
import { defaultSecondFactor } from './second-factor.ts';

/** The types of a configuration that are read the same everywhere; whoever reads the whole file has them. */
export interface RiskFields {
  readonly duration: z.ZodType<number, string>;
  readonly scope: z.ZodType<string, string>;
  readonly namePattern: z.ZodType<string, string>;
}

const pointsError = 'expected points, a whole number from 0 to 100';
const points = z.int({ error: pointsError }).min(0, { error: pointsError }).max(100, { error: pointsError });

function weights<Word extends string>(usual: Readonly<Record<Word, number>>, what: string) {
  const fields = Object.entries<number>(usual).map(([name, value]) => [
    name,
    points.prefault(value).describe(`Points where it is \`${name}\`.`),
  ]);
  const shape = Object.fromEntries(fields) as Record<Word, z.ZodPrefault<typeof points>>;
  return z.strictObject(shape, { error: 'expected points by word' }).describe(what);
}

const weightsShape = z
  .strictObject(
    {
      sideEffect: weights(defaultRiskWeights.sideEffect, 'By side effect.').prefault({}),
      classification: weights(defaultRiskWeights.classification, 'By classification.').prefault({}),
      declared: weights(defaultRiskWeights.declared, 'By the risk that the tool declares of itself.').prefault({}),
      environment: z
        .record(z.string().min(1).max(100), points, { error: 'expected points by environment' })
        .prefault({ ...defaultRiskWeights.environment })
        .describe('By `policy.environment`. Others add nothing.'),
      novelty: points.prefault(defaultRiskWeights.novelty).describe('The tool has never answered this account.'),
      hours: points.prefault(defaultRiskWeights.hours).describe('It is outside `hours`.'),
    },
    { error: 'expected points by what adds to the risk' },
  )
  .prefault({})
  .describe('What adds to the risk of a call, in points. A hundred is all there is.');

const over = z.number({ error: 'expected an amount' }).describe('It is more than this, or less than minus this.');

const amount = (field: RiskFields) =>
  z
    .strictObject(
      {
        tools: field.namePattern.describe('Names or patterns of tools.'),
        argument: z
          .string({ error: 'expected a JSON pointer like /amount' })
          .regex(/^(\/([^~/]|~[01])*)+$/, { error: 'expected a JSON pointer like /amount' })
          .describe('Where the amount is in the arguments, as a JSON pointer.'),
        steps: listOf(
          z.strictObject(
            { over, points: points.describe('Points then.') },
            { error: 'expected a step like { over: 100, points: 20 }' },
          ),
          names('steps like { over: 100, points: 20 }'),
        )
          .min(1, { error: 'expected at least one step' })
          .describe('What adds how much.'),
      },
      { error: 'expected { tools: payments.*, argument: /amount, steps: [{ over: 100, points: 20 }] }' },
    )
    .describe(
      'Of the steps that an amount goes over the highest counts. What is there and is no amount counts as the most.',
    );

const threshold = points.optional();

/** The section `risk` of a configuration. */
export function riskShape(field: RiskFields) {
  return z
    .strictObject(
      {
        weights: weightsShape,
        amounts: listOf(amount(field), names('amounts')).prefault([]).describe('Amounts in arguments.'),
        hours: timeWindow.optional().describe('When people are at work. Default: always.'),
        thresholds: z
          .strictObject({
            approve: threshold.describe('From this score on somebody has to approve.'),
            secondApprover: threshold.describe('From this score on two have to.'),
            secondFactor: threshold.describe(
              'From this score on the caller has to have signed in with a second factor.',
            ),
          })
          .prefault({})
          .describe('What follows from the risk. Without these, nothing: policies may look at it.'),
        approverScope: field.scope
          .prefault(defaultRisk.approverScope)
          .describe('What people need to approve what risk asks for.'),
        secondFactorAge: field.duration.prefault('15m').describe('How long ago the second factor may have been shown.'),
      },
      { error: 'expected keys and values, like { thresholds: { approve: 60 } }' },
    )
    .prefault({})
    .describe('How dangerous calls look, and what follows from that ([risk](risk.md)).');
}

/** As the gateway uses it. */
export function toRiskSettings(file: z.output<ReturnType<typeof riskShape>>): RiskSettings {
  const { hours, thresholds, secondFactorAge, amounts, weights: given, approverScope } = file;
  const { approve, secondApprover, secondFactor } = thresholds;
  return {
    ...{ weights: given, amounts, approverScope, secondFactorMaxAgeMs: secondFactorAge },
    ...(hours && {
      hours: {
        zone: hours.zone,
        from: hours.from ?? 0,
        to: hours.to ?? 1_440,
        days: hours.days ?? [1, 2, 3, 4, 5, 6, 7],
      },
    }),
    thresholds: {
      ...(approve !== undefined && { approve }),
      ...(secondApprover !== undefined && { secondApprover }),
      ...(secondFactor !== undefined && { secondFactor }),
    },
  };
}

const word = (what: string) =>
  z.string({ error: `expected ${what}` }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, { error: `expected ${what}` });

/** The section `secondFactor` of a configuration. */
export const secondFactorShape = z
  .strictObject(
    {
      acr: listOf(word('a value of acr'), names('values of acr'))
        .prefault([...defaultSecondFactor.acr])
        .describe('Values of the claim `acr` that say so. Clients are told to ask for them.'),
      amr: listOf(word('a value of amr'), names('values of amr'))
        .prefault([...defaultSecondFactor.amr])
        .describe('Values of which the claim `amr` has one (RFC 8176).'),
    },
    { error: 'expected { acr: […], amr: […] }' },
  )
  .prefault({})
  .describe('What proves a sign-in with a second factor. Either is enough.');
