import type { AccessRequest, Verdict } from '@sallyport/core';
import { obligationsOf } from '../obligations.ts';
import type { CedarPolicy, PolicyInput, PolicySettings, ToolTyping } from '../types.ts';
import { typeOfSchema } from './argument-types.ts';
import { type Ruling, Tally } from './decide.ts';
import { type Code, compileTerm, NotCompiled, type NumberOf } from './expression.ts';
import { type Frame, Frames, type Read, refused, type Subject } from './frame.ts';
import { createJudge, type Judge, type JudgedPolicy, type Outcome } from './judge.ts';
import { actionOf, mayBeRefused, principalOf, readOf, resourceOf } from './request.ts';
import { applicableOf, createSlices, type Slice } from './slices.ts';
import { type Path, pathKey, pathsOf, readTerm, type Term } from './terms.ts';
import { mayBe, truthOf, Unknown } from './values.ts';

/** The id of the permit that scopes stand for, where `default` is `scopes`. */
export const scopesPolicyId = 'scopes';

/** A policy ready to be evaluated. */
export interface ReadyPolicy extends Ruling, JudgedPolicy {
  readonly json: CedarPolicy['json'];
  /** Numbers of paths that may lead to something without an encoding. */
  readonly doubtful: readonly number[];
  /** Undefined: Cedar evaluates it. */
  readonly code: Code | undefined;
  readonly judgedFor?: string;
  /** Whether callers' lists may show what it leaves of arguments. */
  readonly narrows: boolean;
  /** All it depends on besides its head. */
  readonly term: Term;
}

/** What is asked for, with the policies that may be for it. */
interface Question extends Pick<Subject, 'action' | 'resource' | 'argumentType'> {
  readonly slices: readonly Slice<ReadyPolicy>[];
}

/** So many tools and other things that are asked for are kept ready. */
const mostKept = 20_000;
/** Of names that are longer, which callers make up (URIs of a template), nothing is kept: 20,000 of them would be a gigabyte. */
const longestKept = 500;

/** Policies, evaluated one by one. */
export interface Engine {
  readonly policies: readonly ReadyPolicy[];
  decide(request: AccessRequest): Verdict;
  /** Runs `body` with all policies that apply to a request, and how each comes out in a frame. */
  during<Result>(request: AccessRequest, body: (applicable: Applicable) => Result): Result;
}

/** What applies to a request. */
export interface Applicable {
  readonly policies: readonly ReadyPolicy[];
  readonly subject: Subject;
  readonly frames: Frames;
  readonly outcomes: (policy: ReadyPolicy, frame: Frame) => number;
}

/** The policies as functions, and what decides on a request with them. */
export function createEngine({ policies, settings, tools }: PolicyInput): Engine {
  const { reads, numberOf } = createPaths(settings);
  const scoped = settings.default === 'scopes' ? [scopesPermit] : [];
  const ready = [...scoped, ...policies.map((policy) => readyPolicy(policy, numberOf))];
  const questionOf = createQuestionOf(ready, tools);
  const judge = createJudge();
  const frames = new Frames(reads);
  const heads = (request: AccessRequest) => {
    const { slices, ...question } = questionOf(request);
    const subject: Subject = { request, principal: principalOf(request), ...question };
    return { subject, policies: applicableOf(slices, subject) };
  };
  return {
    policies: ready,
    decide(asked) {
      const request = withoutArguments(asked);
      const { subject, policies: applicable } = heads(request);
      return frames.during(subject, (frame) => {
        const tally = new Tally();
        const isOpen = request.action === 'discover';
        for (const policy of applicable) {
          tally.add(policy, isOpen ? openOutcome(policy, frame, judge) : outcomeOf(policy, frame, judge));
        }
        return tally.verdict();
      });
    },
    during(request, body) {
      const outcomes = (policy: ReadyPolicy, frame: Frame): number => openOutcomes(policy, frame, judge);
      return body({ ...heads(request), frames, outcomes });
    },
  };
}

/** Numbers paths as policies name them. `reads`: how to read each, by its number. */
function createPaths(settings: PolicySettings): { readonly reads: readonly Read[]; readonly numberOf: NumberOf } {
  const numbers = new Map<string, number>();
  const reads: Read[] = [];
  const numberOf = (path: Path): number => {
    const key = pathKey(path);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, reads.length);
    return reads.push(readOf(path, settings)) - 1;
  };
  return { reads, numberOf };
}

/** What can be asked for is sorted out once, when it is asked for first. */
function createQuestionOf(policies: readonly ReadyPolicy[], tools: ToolTyping): (request: AccessRequest) => Question {
  const slices = createSlices(policies);
  const known = new Map<string, Question>();
  return ({ resource }) => {
    const { type, id, service, sideEffect, definitionHash } = resource;
    const key = `${type}\0${id}\0${service}\0${sideEffect}\0${definitionHash}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const [action, target] = [actionOf(resource), resourceOf(resource)];
    const schema = type === 'tool' ? tools.inputSchema(id, definitionHash) : undefined;
    const argumentType = schema && typeOfSchema(schema);
    const question = { action, resource: target, argumentType, slices: slices.of(action, target) };
    if (known.size >= mostKept) known.clear();
    if (id.length <= longestKept) known.set(key, question);
    return question;
  };
}

/**
 * What is asked about a task of a tool (`tasks/get`, say) has none of the tool's arguments in it, nor has the completion of one
 * of them those of the prompt: they are for whom policies may permit a call, and ask for all that such a call might ask for.
 */
function withoutArguments(request: AccessRequest): AccessRequest {
  const { method = '' } = request.context;
  const isAboutArguments = method.startsWith('tasks/') || method === 'completion/complete';
  if (request.action === 'discover' || !isAboutArguments) return request;
  const { arguments: _, rest: __, ...context } = request.context;
  return { ...request, action: 'discover', context };
}

/** The permit that scopes stand for: they have been checked before policies are asked. */
const scopesPermit: ReadyPolicy = {
  ...{ id: scopesPolicyId, effect: 'permit', isShadow: false, obligations: [], reason: undefined, narrows: false },
  term: { kind: 'value', value: true },
  ...{ description: 'scopes', text: 'permit(principal, action, resource);', paths: [], doubtful: [], code: () => true },
  json: {
    ...{ effect: 'permit', conditions: [] },
    ...{ principal: { op: 'All' }, action: { op: 'All' }, resource: { op: 'All' } },
  },
};

function readyPolicy(policy: CedarPolicy, numberOf: (path: Path) => number): ReadyPolicy {
  const { id, text, effect, json, shadow } = policy;
  const annotations: Readonly<Partial<Record<string, string>>> = policy.annotations;
  const term = conditionOf(json);
  const paths = pathsOf(term).map((path) => [numberOf(path), path] as const);
  const names = new Set(paths.map(([, { root, names: steps }]) => [root, ...steps].join('.')));
  return {
    ...{ id, text, effect, json, term, paths, isShadow: shadow, obligations: obligationsOf(policy) },
    ...{ reason: annotations.reason, narrows: ['', 'true'].includes(annotations.narrow ?? 'false') },
    description: names.size === 0 ? id : `${id} (looks at ${[...names].join(', ')})`,
    doubtful: paths.filter(([, path]) => mayBeRefused(path)).map(([number]) => number),
    ...codeOf(term, numberOf),
  };
}

function codeOf(term: Term, numberOf: (path: Path) => number): Pick<ReadyPolicy, 'code' | 'judgedFor'> {
  try {
    return { code: compileTerm(term, numberOf) };
  } catch (error) {
    if (!(error instanceof NotCompiled)) throw error;
    return { code: undefined, judgedFor: error.construct };
  }
}

/** All `when` and no `unless`, in their order. */
function conditionOf({ conditions }: CedarPolicy['json']): Term {
  const [first, ...rest] = conditions.map(({ kind, body }): Term => {
    const term = readTerm(body);
    return kind === 'when' ? term : { kind: 'not', of: term };
  });
  if (first === undefined) return { kind: 'value', value: true };
  return rest.reduce<Term>((left, right) => ({ kind: 'and', left, right }), first);
}

function isRefused({ doubtful }: ReadyPolicy, frame: Frame): boolean {
  return doubtful.some((path) => frame.found(path) === refused);
}

function outcomeOf(policy: ReadyPolicy, frame: Frame, judge: Judge): Outcome {
  if (isRefused(policy, frame)) return 'errs';
  if (policy.code === undefined) return judge(policy, frame);
  const value = policy.code(frame);
  if (value === true) return 'holds';
  return value === false ? 'fails' : 'errs';
}

/** All that a policy may come to as long as not everything is known, as a sum of `mayBe`. */
function openOutcomes(policy: ReadyPolicy, frame: Frame, judge: Judge): number {
  if (isRefused(policy, frame)) return mayBe.error;
  if (policy.code !== undefined) return truthOf(policy.code(frame));
  if (policy.paths.some(([path]) => frame.found(path) instanceof Unknown))
    return mayBe.true | mayBe.false | mayBe.error;
  return { holds: mayBe.true, fails: mayBe.false, errs: mayBe.error }[judge(policy, frame)];
}

/**
 * A permit counts if it may hold, a forbid if it cannot but hold or err: so nothing is denied but what is denied whatever the
 * arguments are. What is only tried hides nothing and shows nothing.
 */
function openOutcome(policy: ReadyPolicy, frame: Frame, judge: Judge): Outcome {
  if (policy.isShadow) return 'fails';
  const outcomes = openOutcomes(policy, frame, judge);
  if (outcomes === mayBe.error) return 'errs';
  const counts = policy.effect === 'permit' ? (outcomes & mayBe.true) !== 0 : (outcomes & mayBe.false) === 0;
  return counts ? 'holds' : 'fails';
}
