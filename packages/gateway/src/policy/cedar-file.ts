import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Problem } from '../text/source.ts';
import { nearest } from '../text/suggest.ts';
import { annotationFault, annotationNames } from './annotations.ts';
import type { Cedar } from './cedar.ts';
import { annotationsOf, type Statement, statementsOf } from './cedar-text.ts';
import { offsetOfByte, type Places, placesIn } from './places.ts';
import type { CedarPolicy } from './types.ts';

/** The policies of a text, or what is wrong with it; good ones stand beside problems of others. */
export interface ReadPolicies {
  readonly policies: readonly CedarPolicy[];
  readonly problems: readonly Problem[];
}

/** Reads a Cedar text: each policy by itself, with its id and its place. */
export function readCedarText(cedar: Cedar, text: string, file: string): ReadPolicies {
  const places = placesIn(text, file);
  const policies: CedarPolicy[] = [];
  const problems: Problem[] = [];
  for (const statement of statementsOf(text)) {
    const read = readStatement(cedar, { text, statement, places });
    if ('problems' in read) problems.push(...read.problems);
    else policies.push(read);
  }
  return { policies, problems };
}

interface Reading {
  readonly text: string;
  readonly statement: Statement;
  readonly places: Places;
}

function readStatement(
  cedar: Cedar,
  { text, statement: { start, end }, places }: Reading,
): CedarPolicy | { readonly problems: readonly Problem[] } {
  const own = text.slice(start, end);
  const answer = cedar.policyToJson(own);
  if (answer.type === 'failure') {
    const isTemplate = /\?(?:principal|resource)\b/.test(own);
    return { problems: answer.errors.map((error) => syntaxProblem(error, { own, start, places, isTemplate })) };
  }
  const { json } = answer;
  const annotations = Object.fromEntries(
    Object.entries(json.annotations ?? {}).map(([name, value]) => [name, value ?? '']),
  );
  const written = new Map(annotationsOf(own).map((one) => [one.name, one]));
  const names = Object.keys(annotations);
  const problems = Object.entries(annotations).flatMap((pair) => {
    const fault = annotationFault(pair, { effect: json.effect, names });
    if (fault === undefined) return [];
    const at = written.get(pair[0]);
    const near = fault.startsWith('there is no') ? nearest(pair[0], annotationNames) : undefined;
    const known = fault.startsWith('there is no')
      ? `; there are ${annotationNames.map((name) => `@${name}`).join(', ')}`
      : '';
    const message = near === undefined ? `${fault}${known}` : `${fault}; did you mean "@${near}"?`;
    return [places.problem(message, start + (at?.start ?? 0), start + (at?.end ?? 1))];
  });
  if (!names.includes('id')) {
    problems.push(places.problem('the policy has no name: write @id("…") before it', start));
  }
  if (problems.length > 0) return { problems };
  return {
    id: annotations.id ?? '',
    text: own,
    effect: json.effect,
    annotations,
    json,
    place: places.at(start),
    shadow: annotations.mode === 'shadow',
  };
}

interface Failed {
  readonly own: string;
  readonly start: number;
  readonly places: Places;
  readonly isTemplate: boolean;
}

function syntaxProblem(
  { message, help, sourceLocations }: DetailedError,
  { own, start, places, isTemplate }: Failed,
): Problem {
  const [at] = sourceLocations ?? [];
  const from = start + offsetOfByte(own, at?.start ?? 0);
  const to = start + offsetOfByte(own, at?.end ?? 0);
  if (isTemplate)
    return places.problem('templates are not for here: write the policy with its principal and resource', from, to);
  const plain = message.replace(/^failed to parse (?:policy|policies|policy set) from string: /, '');
  return places.problem(help === null ? plain : `${plain}; ${help}`, from, to);
}
