/** A page for people; whoever serves it puts it into the frame that all pages have. */
export interface Page {
  readonly status: number;
  readonly title: string;
  /** The inside of `<main>`; every text in it was escaped. */
  readonly main: string;
  /** Origins or schemes, beside its own origin, that its forms lead to in the end. */
  readonly leadsTo?: readonly string[];
}

/** What the first page says. */
export interface Begin {
  readonly service: string;
  readonly userName: string;
  readonly user: string;
  readonly scopes: readonly string[] | undefined;
  /** Origin of the authorization server. */
  readonly server: string;
  /** Of this very page. */
  readonly path: string;
}

/** Says for whom and for what consent is asked, and where the browser goes next. */
export function beginPage({ service, user, userName, scopes, server, path }: Begin): Page {
  const who = user === '' ? 'the gateway itself' : `<strong>${escapeHtml(userName)}</strong>`;
  const list = (scopes ?? []).map((scope) => `<li><code>${escapeHtml(scope)}</code></li>`).join('');
  return {
    status: 200,
    title: `Connect ${service}`,
    main: `<h1>Connect ${escapeHtml(service)}</h1>
<p>This gateway asks to use <strong>${escapeHtml(service)}</strong> for ${who}. Next, <strong>${escapeHtml(server)}</strong> asks you to agree.</p>
${list === '' ? '' : `<h2>What is asked for</h2><ul>${list}</ul>`}
<p class="note">Go on only if you asked for this yourself a moment ago. Whoever sent you this address may use what you agree to.</p>
<form method="post" action="${escapeHtml(path)}"><button class="act">Go on to ${escapeHtml(server)}</button></form>`,
    // Browsers hold the whole way of a form to this, and authorization servers send people on to sign in elsewhere.
    leadsTo: [new URL(server).protocol],
  };
}

/** Says that it is done. */
export function donePage(service: string): Page {
  return {
    status: 200,
    title: 'Connected',
    main: `<h1>Connected</h1><p>The gateway can use <strong>${escapeHtml(service)}</strong> now. You can close this page.</p>`,
  };
}

/** Says that it did not work. */
export function failedPage(text: string, status: number): Page {
  return { status, title: 'Not connected', main: `<h1>Not connected</h1><p class="bad">${escapeHtml(text)}</p>` };
}

/** Says that nobody waits for this any more, or that nobody ever did. */
export function gonePage(): Page {
  const text = 'Nobody waits for this any more: it was used, or it took too long. Call again to be asked again.';
  return { status: 404, title: 'Too late', main: `<h1>Too late</h1><p>${text}</p>` };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
