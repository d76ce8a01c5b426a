import { type AccessRequest, type AttributeSource, accountKey, compilePattern, type Risk } from '@sallyport/core';
import { hasTwin, isJsonObject, type JsonValue } from '@sallyport/protocol';
import type { AmountRule, RiskSettings, WorkingHours } from './risk-settings.ts';

/** Who has had an answer of which tool before. */
export interface Familiarity {
  /** `account`: as `accountKey` writes it. */
  knows(account: string, tool: string): boolean | Promise<boolean>;
}

/** What computing the risk needs. */
export interface RiskSourceOptions {
  readonly settings: RiskSettings;
  /** Absent: nothing is known of anybody, and novelty adds nothing. */
  readonly familiarity?: Familiarity;
  /** Where the gateway is. Default: what the request says. */
  readonly environment?: () => string | undefined;
}

/**
 * Computes `context.risk`, and says in `facts.novel` whether this account has never had an answer of this tool. What it
 * computes from is all in the request, but for that fact, which is then in it too.
 */
export function createRiskSource({ settings, familiarity, ...options }: RiskSourceOptions): AttributeSource {
  const amountOf = compileAmounts(settings.amounts);
  const isAtWork = settings.hours === undefined ? () => true : compileHours(settings.hours);
  const riskOf = (request: AccessRequest, novel: boolean): Risk => {
    const { weights } = settings;
    const { sideEffect, classification, risk } = request.resource;
    const environment = options.environment?.() ?? request.context.environment ?? '';
    const { timeMs } = request.context;
    return sum({
      sideEffect: pointsOf(weights.sideEffect, sideEffect),
      classification: pointsOf(weights.classification, classification),
      declared: pointsOf(weights.declared, risk),
      environment: Object.hasOwn(weights.environment, environment) ? (weights.environment[environment] ?? 0) : 0,
      amount: amountOf(request),
      novelty: novel ? weights.novelty : 0,
      hours: isAtWork(timeMs) ? 0 : weights.hours,
    });
  };
  return {
    contextOf(request) {
      if (familiarity === undefined) return { risk: riskOf(request, false) };
      const answer = (isKnown: boolean) => ({ risk: riskOf(request, !isKnown), facts: { novel: !isKnown } });
      const isKnown = familiarity.knows(accountKey(request.subject), request.resource.id);
      return isKnown instanceof Promise ? isKnown.then(answer) : answer(isKnown);
    },
  };
}

/** A word that nobody knows is as bad as the worst. */
function pointsOf(weights: Readonly<Record<string, number>>, word: string): number {
  return Object.hasOwn(weights, word) ? (weights[word] ?? 0) : Math.max(...Object.values(weights));
}

/** Only what adds something is named. */
function sum(all: Readonly<Record<string, number>>): Risk {
  const factors = Object.fromEntries(Object.entries(all).filter(([, points]) => points > 0));
  const total = Object.values(factors).reduce((before, points) => before + points, 0);
  return { score: Math.min(100, total), factors };
}

function compileAmounts(rules: readonly AmountRule[]): (request: AccessRequest) => number {
  const compiled = rules.map(({ tools, argument, steps }) => ({
    applies: compilePattern(tools),
    path: pathOf(argument),
    steps: [...steps].sort((a, b) => b.over - a.over),
    most: Math.max(0, ...steps.map(({ points }) => points)),
  }));
  return ({ resource, context }) => {
    const points = compiled.map(({ applies, path, steps, most }) => {
      if (!applies(resource.id)) return 0;
      const value = valueAt(context.arguments, path);
      if (value === undefined || value === null) return 0;
      const amount = amountIn(value);
      // What is there and is no amount may be any.
      if (!Number.isFinite(amount)) return most;
      return steps.find(({ over }) => Math.abs(amount) > over)?.points ?? 0;
    });
    return Math.max(0, ...points);
  };
}

/** A number, or text that reads as one; else not a number. */
function amountIn(value: JsonValue): number {
  if (typeof value === 'string') return value.trim() === '' ? Number.NaN : Number(value);
  return typeof value === 'number' ? value : Number.NaN;
}

/** The member names of a JSON pointer (RFC 6901). */
function pathOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let at = value;
  for (const name of path) {
    // Nobody knows which of the two the service takes: as good as no amount.
    if (isJsonObject(at) && hasTwin(at, name)) return '';
    if (Array.isArray(at)) at = /^\d+$/.test(name) ? at[Number(name)] : undefined;
    else if (isJsonObject(at) && Object.hasOwn(at, name)) at = at[name];
    else return undefined;
  }
  return at;
}

const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

function compileHours({ zone, from, to, days }: WorkingHours): (timeMs: number) => boolean {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  });
  return (timeMs) => {
    const parts = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
    const day = weekdays.indexOf(parts.get('weekday') ?? '') + 1;
    if (from <= to) return days.includes(day) && minute >= from && minute < to;
    // Over midnight: the early hours are the end of the day before.
    const dayBefore = day === 1 ? 7 : day - 1;
    return (minute >= from && days.includes(day)) || (minute < to && days.includes(dayBefore));
  };
}
