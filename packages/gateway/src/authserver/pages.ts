import { escapeHtml, type Page } from './html.ts';
import type { ScopeInWords } from './scopes.ts';

/** What all forms of one sign-in carry. */
export interface FormPlace {
  /** Path of the sign-in under way: `/oauth/interaction/…`. */
  readonly path: string;
  /** Shows that a form is one of ours. */
  readonly proof: string;
  /** What people call this gateway. */
  readonly gateway: string;
  /** Where people are sent back to in the end. */
  readonly leadsTo: readonly string[];
}

/** Why the form is shown again. */
export interface Problem {
  readonly text: string;
  readonly status: number;
  readonly retryAfterMs?: number;
}

/** What the login page shows. */
export interface LoginPage {
  readonly client: string;
  readonly hasPasswords: boolean;
  /** The upstream provider, if there is one. */
  readonly upstream?: string;
  /** What was typed as the name before. */
  readonly typed?: string;
  /** Who is signed in already and has to show it again. */
  readonly who?: string;
  readonly problem?: Problem;
}

/** Asks who it is. */
export function loginPage(
  place: FormPlace,
  { client, hasPasswords, upstream, who, typed = '', problem }: LoginPage,
): Page {
  const { gateway, path } = place;
  const name =
    who === undefined
      ? field({
          name: 'name',
          label: 'Name',
          type: 'text',
          autocomplete: 'username',
          more: `autocapitalize="none" spellcheck="false" maxlength="100" value="${escapeHtml(typed)}" autofocus`,
        })
      : `<p>Signed in as <strong>${escapeHtml(who)}</strong></p><input type="hidden" name="name" value="${escapeHtml(who)}">`;
  const password = form(place, 'login', [
    name,
    field({
      name: 'password',
      label: 'Password',
      type: 'password',
      autocomplete: 'current-password',
      more: 'maxlength="1024"',
    }),
    '<button class="act">Sign in</button>',
  ]);
  const other =
    upstream === undefined ? '' : `<a class="button" href="${path}/upstream">Continue with ${escapeHtml(upstream)}</a>`;
  return {
    ...shown(place, problem),
    title: `Sign in to ${gateway}`,
    main: [
      `<h1>Sign in to ${escapeHtml(gateway)}</h1>`,
      `<p>to let <strong>${escapeHtml(client)}</strong> use it.</p>`,
      alertOf(problem),
      hasPasswords ? password : '',
      other,
      who === undefined
        ? form(place, 'refuse', ['<p class="quiet"><button class="plain">Cancel</button></p>'])
        : leaving(place, 'Not you?'),
    ].join('\n'),
  };
}

/** Asks for the second factor. @param step sealed: that the password was right. */
export function codePage(
  place: FormPlace,
  { step, problem }: { readonly step: string; readonly problem?: Problem },
): Page {
  return {
    ...shown(place, problem),
    title: `Sign in to ${place.gateway}`,
    main: [
      '<h1>Your second factor</h1>',
      '<p>Enter the six digits that your authenticator app shows.</p>',
      alertOf(problem),
      form(place, 'code', [
        `<input type="hidden" name="step" value="${escapeHtml(step)}">`,
        field({
          name: 'code',
          label: 'Code',
          type: 'text',
          autocomplete: 'one-time-code',
          more: 'inputmode="numeric" maxlength="10" autofocus',
        }),
        '<button class="act">Continue</button>',
      ]),
      form(place, 'refuse', ['<p class="quiet"><button class="plain">Cancel</button></p>']),
    ].join('\n'),
  };
}

/** What the consent page shows. */
export interface ConsentPage {
  readonly client: string;
  /** Where it is known from: its host for a document, else absent. */
  readonly publishedBy?: string;
  /** Whether the operator knows it. */
  readonly isConfigured: boolean;
  /** Where people are sent back to. */
  readonly back: { readonly kind: 'host' | 'program'; readonly text: string };
  readonly who: string;
  /** What it asks for, in words. */
  readonly scopes: readonly (ScopeInWords & { readonly scope: string })[];
  /** For how long at most, in words. */
  readonly howLong: string;
  /** What it asks for and this person cannot give. */
  readonly withheld: readonly string[];
}

/** Asks whether a client may do what it asks for. */
export function consentPage(place: FormPlace, page: ConsentPage): Page {
  const { client, who, scopes, withheld, howLong } = page;
  const items = scopes.map(
    ({ scope, what, where }) =>
      `<li><label><input type="checkbox" name="scope" value="${escapeHtml(scope)}" checked><span><strong>${escapeHtml(what)}</strong>` +
      `<small>${escapeHtml(where)}</small> <code>${escapeHtml(scope)}</code></span></label></li>`,
  );
  const allowed =
    items.length > 0
      ? `<fieldset><legend>It will be able to</legend><ul>${items.join('')}</ul></fieldset>`
      : '<p>It will be able to use what asks for no permission.</p>';
  const held =
    withheld.length === 0
      ? ''
      : `<p class="quiet">It also asks for what is not yours to give: ${escapeHtml(withheld.join(', '))}.</p>`;
  return {
    ...shown(place, undefined),
    title: `Let ${client} use ${place.gateway}?`,
    main: [
      `<h1>Let ${escapeHtml(client)} use ${escapeHtml(place.gateway)}?</h1>`,
      `<p>It will act in your name, <strong>${escapeHtml(who)}</strong>, for at most ${howLong}.</p>`,
      `<p class="note">${origin(page)}</p>`,
      form(place, 'consent', [
        allowed,
        held,
        `<p>Then you are sent back to ${backTo(page)}.</p>`,
        '<button class="act">Allow</button>',
        `<button formaction="${place.path}/refuse">Do not allow</button>`,
      ]),
      leaving(place, 'Not you?'),
    ].join('\n'),
  };
}

function origin({ isConfigured, publishedBy, back }: ConsentPage): string {
  if (isConfigured) return 'This client was set up by whoever runs this gateway.';
  const name =
    publishedBy === undefined
      ? 'The client chose this name itself'
      : `Known by a document of <strong>${escapeHtml(publishedBy)}</strong>`;
  const started =
    back.kind === 'program' ? 'a program on this computer has just sent you here' : 'you have just come from there';
  return `${name}; nobody here has checked it. Allow it only if ${started}.`;
}

function backTo({ back }: ConsentPage): string {
  const text = `<strong>${escapeHtml(back.text)}</strong>`;
  return back.kind === 'host' ? text : `a program on this computer, at ${text}`;
}

/** Says what went wrong, where nothing can be done but to begin anew. */
export function errorPage(
  gateway: string,
  { status, text, code, retryAfterMs }: Problem & { readonly code?: string },
): Page {
  return {
    status,
    title: `${gateway}: this did not work`,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    main: [
      '<h1>This did not work</h1>',
      `<p>${escapeHtml(text)}</p>`,
      code === undefined ? '' : `<p class="quiet">For whoever wrote the client: <code>${escapeHtml(code)}</code></p>`,
      '<p>Go back to the program you came from and start again.</p>',
    ].join('\n'),
  };
}

function shown(
  { leadsTo }: FormPlace,
  problem: Problem | undefined,
): Pick<Page, 'status' | 'leadsTo' | 'retryAfterMs'> {
  const { status = 200, retryAfterMs } = problem ?? {};
  return { status, leadsTo, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function form({ path, proof }: FormPlace, action: string, inside: readonly string[]): string {
  return `<form method="post" action="${path}/${action}">
<input type="hidden" name="proof" value="${proof}">
${inside.join('\n')}
</form>`;
}

function leaving(place: FormPlace, question: string): string {
  return form(place, 'leave', [
    `<p class="quiet">${question} <button class="plain">Sign in as somebody else</button></p>`,
  ]);
}

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: 'text' | 'password';
  readonly autocomplete: string;
  readonly more: string;
}

function field({ name, label, type, autocomplete, more }: Field): string {
  return `<label for="${name}">${label}</label><input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" required ${more}>`;
}

function alertOf(problem: Problem | undefined): string {
  return problem === undefined ? '' : `<p class="bad" role="alert">${escapeHtml(problem.text)}</p>`;
}
