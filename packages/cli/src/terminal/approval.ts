import { durationText } from '../duration.ts';
import { printableLine, type Style } from './style.ts';

/** So many people with a scope, or the one on whose behalf it is; and how many have agreed. */
type Need =
  | { readonly scope: string; readonly approvals: number; readonly agreed: number }
  | { readonly by: 'subject'; readonly agreed: number };

/** An approval as the gateway lists it. */
export interface Listed {
  readonly id: string;
  readonly state: string;
  readonly tool: string;
  readonly service: string;
  readonly requester: {
    readonly subject: string;
    readonly actors?: readonly string[];
    readonly client: string;
    readonly tenant?: string;
    readonly app?: string;
    readonly intent?: string;
  };
  readonly needs: readonly Need[];
  readonly mayDecide: boolean;
  readonly createdAt: string;
  readonly expiresAt: string;
}

/** All of it. What was sealed is missing where the gateway cannot open it. */
export interface Shown extends Listed {
  readonly method: string;
  readonly callId: string;
  readonly policies: readonly string[];
  readonly votes: readonly {
    readonly subject: string;
    readonly verdict: string;
    readonly scopes: readonly string[];
    readonly consents?: boolean;
    readonly at: string;
    readonly reason?: string;
  }[];
  readonly argumentsText?: string;
  readonly restText?: string;
  readonly kind?: string;
  readonly title?: string;
  readonly description?: string;
  readonly sideEffect?: string;
  readonly classification?: string;
  readonly owner?: string;
  readonly why?: readonly string[];
  readonly environment?: string;
  readonly purpose?: string;
  readonly risk?: { readonly score: number; readonly factors: Readonly<Record<string, number>> };
}

/** Who wants it, and through whom. */
export function whoText({ subject, actors = [] }: Listed['requester']): string {
  return printableLine([subject, ...actors.map((actor) => `via ${actor}`)].join(' '));
}

/** `1 of 2`, with the scope where there are several; `waits for dana's own consent`. */
export function needsText({ needs, requester }: Pick<Listed, 'needs' | 'requester'>): string {
  const texts = needs.map((need) => {
    if ('by' in need) return consentText(need, requester);
    const count = `${need.agreed} of ${need.approvals}`;
    return needs.length === 1 ? count : `${count} ${printableLine(need.scope)}`;
  });
  return texts.join(', ');
}

function consentText({ agreed }: { readonly agreed: number }, { subject }: Listed['requester']): string {
  const name = printableLine(subject);
  return agreed > 0 ? `${name} consents` : `waits for ${name}'s own consent`;
}

/** What a person decides by, on a page. */
export function approvalText(
  shown: Shown,
  { style, nowMs }: { readonly style: Style; readonly nowMs: number },
): string {
  const leftMs = Date.parse(shown.expiresAt) - nowMs;
  const left = leftMs > 0 ? `${durationText(leftMs)} left` : 'its time is over';
  const rows = factsOf(shown).map(([name, text]) => `${style.dim(name.padEnd(8))}  ${printableLine(text)}`);
  return [
    `${style.bold(shown.id)}  ${stateText(shown.state, style)}  ${style.dim(left)}`,
    '',
    ...rows,
    ...argumentLines(shown, style),
    ...voteLines(shown, style),
  ].join('\n');
}

function stateText(state: string, { green, red, yellow }: Style): string {
  if (state === 'granted' || state === 'spent') return green(state);
  return state === 'rejected' || state === 'withdrawn' || state === 'expired' ? red(state) : yellow(state);
}

function factsOf(shown: Shown): readonly (readonly [string, string])[] {
  const { requester, needs, risk, why = [], policies } = shown;
  const of = (...texts: readonly (string | undefined)[]): string =>
    texts.filter((text) => text !== undefined).join(' · ');
  const named = (name: string, value: string | undefined) => (value === undefined ? undefined : `${name} ${value}`);
  const rows: readonly (readonly [string, string] | undefined)[] = [
    ['who', of(whoText(requester), shown.kind, named('client', requester.client), named('tenant', requester.tenant))],
    ['wants', of(shown.tool, shown.method === 'tools/call' ? undefined : shown.method, shown.title)],
    shown.description ? ['which', shown.description] : undefined,
    ['effect', of(shown.sideEffect, shown.classification, shown.environment, named('owned by', shown.owner))],
    ...why.map((text) => ['why', text] as const),
    risk && ['risk', `${risk.score} of 100${factorsText(risk.factors)}`],
    shown.purpose === undefined ? undefined : ['purpose', shown.purpose],
    requester.intent === undefined ? undefined : ['intent', `${requester.intent} (sallyport trace shows it)`],
    ...needs.map((need) => {
      const text =
        'by' in need ? consentText(need, requester) : `${need.agreed} of ${need.approvals} with ${need.scope}`;
      return ['needs', text] as const;
    }),
    ['by', policies.join(', ')],
    ['asked', `${shown.createdAt} by call ${shown.callId}`],
    ['until', shown.expiresAt],
  ];
  return rows.filter((row) => row !== undefined && row[1] !== '') as readonly (readonly [string, string])[];
}

function factorsText(factors: Readonly<Record<string, number>>): string {
  const parts = Object.entries(factors).map(([name, part]) => `${name} ${part}`);
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}

function argumentLines({ argumentsText, restText }: Shown, { dim, red }: Style): readonly string[] {
  if (argumentsText === undefined) return ['', red('what was sealed cannot be opened with the keys of this gateway')];
  const rest = restText === undefined ? [] : ['', dim('beside them'), exactJson(restText)];
  return ['', dim('arguments'), exactJson(argumentsText), ...rest];
}

function voteLines({ votes }: Shown, { dim, green, red }: Style): readonly string[] {
  if (votes.length === 0) return [];
  const lines = votes.map(({ subject, verdict, scopes, consents, at, reason }) => {
    const word = verdict === 'approve' ? green(consents ? 'consented' : 'approved') : red('rejected');
    const by = consents ? '' : ` by ${printableLine(scopes.join(', '))}`;
    const why = reason === undefined ? '' : `: ${printableLine(reason)}`;
    return `  ${printableLine(subject)} ${word} ${dim(`${at}${by}`)}${why}`;
  });
  return ['', dim('votes'), ...lines];
}

type Reviver = (name: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * JSON laid out for people, with every number as it was written and every character that does not show, or that moves others,
 * as its escape: what is approved is what is seen.
 */
export function exactJson(text: string): string {
  const { parse, rawJSON } = JSON as unknown as {
    readonly parse: (text: string, reviver: Reviver) => unknown;
    readonly rawJSON: (text: string) => unknown;
  };
  const value = parse(text, (_name, one, { source }) => (typeof one === 'number' && source ? rawJSON(source) : one));
  return JSON.stringify(value, null, 2).replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, escaped);
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_unit, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
