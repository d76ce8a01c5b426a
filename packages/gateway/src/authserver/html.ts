import { createHash } from 'node:crypto';

/** Text as part of a page: nothing in it is markup. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A page that is ready to be sent. */
export interface Page {
  readonly status: number;
  readonly title: string;
  /** The inside of `<main>`; every text in it was escaped. */
  readonly main: string;
  /** Origins and schemes, beside its own, that its forms may lead to in the end. */
  readonly leadsTo?: readonly string[];
  readonly retryAfterMs?: number;
}

const style = `
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--ink:#1b1f24;--quiet:#57606a;--line:#8c959f;--act:#0b57d0;--on-act:#fff;--bad:#b3261e;--note:#fff4d6;--note-ink:#5c4300}
@media (prefers-color-scheme:dark){:root{--ground:#111418;--card:#1b2027;--ink:#e7ebf0;--quiet:#a3adb8;--line:#6b7683;--act:#8ab4f8;--on-act:#0b1a33;--bad:#ffb4ab;--note:#3a2f12;--note-ink:#ffdf9e}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
main{max-width:27rem;margin:0 auto;padding:1.5rem;background:var(--card);min-height:100vh}
@media (min-width:32rem){main{margin:8vh auto;min-height:0;padding:2rem;border-radius:.75rem;box-shadow:0 1px 3px rgb(0 0 0/.2)}}
h1{font-size:1.375rem;line-height:1.3;margin:0 0 .5rem}
h2{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0}
.quiet,.quiet a{color:var(--quiet);font-size:.875rem}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input[type=text],input[type=password]{width:100%;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:.375rem;padding:.625rem .75rem}
input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--act);outline-offset:2px}
button,.button{display:block;width:100%;font:inherit;font-weight:600;text-align:center;text-decoration:none;border-radius:.375rem;border:1px solid var(--act);padding:.6875rem 1rem;margin-top:.75rem;cursor:pointer;background:transparent;color:var(--act)}
button.act{background:var(--act);color:var(--on-act);margin-top:1.5rem}
button.plain{display:inline;width:auto;border:0;padding:0;margin:0;font-weight:400;font-size:.875rem;color:var(--quiet);text-decoration:underline}
ul{list-style:none;padding:0;margin:0}
li{border-top:1px solid color-mix(in srgb,var(--line) 35%,transparent);padding:.625rem 0}
li label{display:flex;gap:.75rem;margin:0;font-weight:400;align-items:flex-start}
li input{flex:none;width:1.25rem;height:1.25rem;margin:.125rem 0 0;accent-color:var(--act)}
li strong,li small{display:block}
small{color:var(--quiet);font-size:.875rem}
fieldset{border:0;margin:1rem 0 0;padding:0}
legend{padding:0;font-weight:600;margin-bottom:.5rem}
code{font:.8125rem ui-monospace,Menlo,Consolas,monospace}
.bad{color:var(--bad);font-weight:600}
.note{background:var(--note);color:var(--note-ink);border-radius:.375rem;padding:.625rem .75rem;font-size:.9375rem}
`;

const styleHash = createHash('sha256').update(style).digest('base64');

/** The whole document. */
export function documentOf({ title, main }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}

/**
 * The headers of a page: nothing runs in it, nothing is loaded, nobody may frame it. Its address is told to nobody else, but its
 * own forms say where they come from.
 */
export function headersOf({ leadsTo = [], retryAfterMs }: Page): Readonly<Record<string, string>> {
  const forms = ["'self'", ...leadsTo].join(' ');
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`,
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    'Cache-Control': 'no-store',
    ...(retryAfterMs !== undefined && { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  };
}

/** What may stand in a policy for where a form leads: an origin, or the scheme of a program; nothing for what is neither. */
export function leadsTo(redirect: string): readonly string[] {
  const url = URL.parse(redirect);
  if (url === null) return [];
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return /^[a-z][a-z0-9+.-]*:$/.test(url.protocol) ? [url.protocol] : [];
  // URLs take names that would end a directive or a policy.
  if (/[^a-z0-9.:[\]_-]/.test(url.host)) return [];
  // No policy can name an IPv6 address.
  return [url.hostname.startsWith('[') ? url.protocol : url.origin];
}
