/** A form of a page, as it would be sent untouched. */
export interface Form {
  readonly action: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** What a browser shows. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  readonly forms: readonly Form[];
}

/** Where a browser ended up: a page, or an address that is not the gateway's. */
export type Arrival = { readonly page: Page } | { readonly left: URL };

/** Plays the person's browser: keeps cookies as it must, follows redirects on its own, sends forms when told to. */
export class Browser {
  readonly #origins: ReadonlySet<string>;
  /** How it asks. */
  fetch: typeof fetch = (...asked) => fetch(...asked);
  readonly cookies = new Map<string, { readonly value: string; readonly path: string; readonly text: string }>();

  /** @param origins where it goes by itself; elsewhere it stops, as a program does that is sent back a code. */
  constructor(...origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Opens an address. */
  open(url: string | URL): Promise<Arrival> {
    return this.#go(new URL(url), {});
  }

  /** Sends a form; what is given replaces what it holds, a list takes the place of all of that name. */
  submit(
    page: Page,
    action: string,
    given: Readonly<Record<string, string | readonly string[]>> = {},
    headers = {},
  ): Promise<Arrival> {
    const form = page.forms.find((one) => one.action.endsWith(`/${action}`)) ?? page.forms[0];
    if (form === undefined) throw new Error(`no form ${action} in ${page.html.replace(/^[\s\S]*<main>/, '')}`);
    const body = new URLSearchParams(
      form.fields.filter(([name]) => !Object.hasOwn(given, name)).map(([name, value]) => [name, value]),
    );
    for (const [name, values] of Object.entries(given)) for (const value of [values].flat()) body.append(name, value);
    const target = action === '' ? form.action : form.action.replace(/[^/]*$/, action);
    return this.#go(new URL(target, page.url), {
      method: 'POST',
      body,
      headers: { origin: page.url.origin, 'sec-fetch-site': 'same-origin', ...headers },
    });
  }

  async #go(start: URL, first: RequestInit): Promise<Arrival> {
    let url = start;
    let request = first;
    for (let hop = 0; hop < 20; hop++) {
      const { headers, ...rest } = request;
      const cookie = this.#cookieHeader(url);
      const response = await this.fetch(url, {
        ...rest,
        redirect: 'manual',
        headers: { accept: 'text/html', ...(cookie !== '' && { cookie }), ...(headers as Record<string, string>) },
      });
      this.#keep(response, url);
      const location = response.headers.get('location');
      if (location === null) return { page: await toPage(url, response) };
      await response.body?.cancel();
      url = new URL(location, url);
      if (!this.#origins.has(url.origin)) return { left: url };
      request = {};
    }
    throw new Error('redirects without end');
  }

  #cookieHeader(url: URL): string {
    return [...this.cookies]
      .filter(
        ([, { path }]) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`),
      )
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
      .join('; ');
  }

  #keep(response: Response, url: URL): void {
    for (const text of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = text.split(/; */);
      const at = pair.indexOf('=');
      const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/';
      const expires = attributes.find((one) => /^expires=/i.test(one))?.slice(8);
      const key = `${pair.slice(0, at)} ${url.origin} ${path}`;
      if (expires !== undefined && Date.parse(expires) < Date.now()) this.cookies.delete(key);
      else this.cookies.set(key, { value: pair.slice(at + 1), path, text });
    }
  }
}

async function toPage(url: URL, response: Response): Promise<Page> {
  const html = await response.text();
  const forms = [...html.matchAll(/<form\b[^>]*>([\s\S]*?)<\/form>/g)].map(([form, inside = '']) => ({
    action: attribute(form, 'action') ?? '',
    fields: [...inside.matchAll(/<input\b[^>]*>/g)].flatMap(([input]) => {
      const name = attribute(input, 'name');
      const isLeft = attribute(input, 'type') === 'checkbox' && !/\bchecked\b/.test(input);
      return name === undefined || isLeft ? [] : [[name, attribute(input, 'value') ?? ''] as const];
    }),
  }));
  return { url, status: response.status, headers: response.headers, html, forms };
}

function attribute(tag: string, name: string): string | undefined {
  const [, value] = new RegExp(`\\b${name}="([^"]*)"`).exec(tag) ?? [];
  return value === undefined ? undefined : decoded(value);
}

function decoded(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}
