/** What adds to the risk of a call, in points; a hundred is all there is. */
export interface RiskWeights {
  readonly sideEffect: Readonly<Record<'read' | 'write' | 'destructive', number>>;
  readonly classification: Readonly<Record<'public' | 'internal' | 'confidential' | 'restricted', number>>;
  /** By what the tool declares of itself. */
  readonly declared: Readonly<Record<'low' | 'medium' | 'high', number>>;
  /** By the name of the environment. One that is not here adds nothing. */
  readonly environment: Readonly<Record<string, number>>;
  /** The tool has never answered this account. */
  readonly novelty: number;
  /** It is outside `hours`. */
  readonly hours: number;
}

/** How an amount in the arguments of some tools adds to the risk. */
export interface AmountRule {
  /** A name or pattern of tools. */
  readonly tools: string;
  /** JSON pointer into the arguments. */
  readonly argument: string;
  /** The highest step that is gone over counts, and no other. */
  readonly steps: readonly { readonly over: number; readonly points: number }[];
}

/** When people are at work. */
export interface WorkingHours {
  /** IANA time zone. */
  readonly zone: string;
  /** Minutes of the day; `to` is not in it any more. `from` after `to`: over midnight. */
  readonly from: number;
  readonly to: number;
  /** 1 is Monday. */
  readonly days: readonly number[];
}

/** How risk is computed, and what follows from it. */
export interface RiskSettings {
  readonly weights: RiskWeights;
  readonly amounts: readonly AmountRule[];
  /** Absent: hours add nothing. */
  readonly hours?: WorkingHours;
  /** From which score on something more is asked for. Absent: never. */
  readonly thresholds: {
    readonly approve?: number;
    readonly secondApprover?: number;
    readonly secondFactor?: number;
  };
  /** What people need to approve what risk asks for. */
  readonly approverScope: string;
  /** How long ago the second factor may have been shown. */
  readonly secondFactorMaxAgeMs: number;
}

/** Points where nobody says otherwise. A first, destructive call on restricted data in production has them all. */
export const defaultRiskWeights: RiskWeights = {
  sideEffect: { read: 0, write: 10, destructive: 30 },
  classification: { public: 0, internal: 5, confidential: 10, restricted: 20 },
  declared: { low: 0, medium: 10, high: 20 },
  environment: { production: 15 },
  novelty: 15,
  hours: 10,
};

/** Nothing is asked for. */
export const defaultRisk: RiskSettings = {
  weights: defaultRiskWeights,
  amounts: [],
  thresholds: {},
  approverScope: 'approvals:approve',
  secondFactorMaxAgeMs: 15 * 60_000,
};
