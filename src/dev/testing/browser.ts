// A browser without scripts, as far as the development pages need one: cookies, redirects, forms. Network.

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Form {
  readonly action: string;
  /** Of the first button, if it has a name. */
  readonly fields: Readonly<Record<string, string>>;
}

const maxRedirects = 10;

export class Browser {
  readonly #cookies: Map<string, string>;

  constructor(cookies: Readonly<Record<string, string>> = {}) {
    this.#cookies = new Map(Object.entries(cookies));
  }

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Follows redirects for as long as `stop` does not match the address of the next page. */
  async open(url: string, stop?: RegExp, init: RequestInit = {}): Promise<Page> {
    let [next, request] = [url, init];
    for (let step = 0; step < maxRedirects; step++) {
      const headers = { accept: 'text/html', cookie: this.cookie, ...request.headers };
      const response = await fetch(next, { redirect: 'manual', ...request, headers });
      this.#take(response);
      const location = response.headers.get('location');
      if (location === null || stop?.test(location)) {
        return {
          url: location ?? next,
          status: response.status,
          headers: response.headers,
          text: await response.text(),
        };
      }
      [next, request] = [new URL(location, next).href, {}];
    }
    throw new Error(`more than ${maxRedirects} redirects from ${url}`);
  }

  async send(form: Form, given: Readonly<Record<string, string>> = {}, stop?: RegExp): Promise<Page> {
    const body = new URLSearchParams({ ...form.fields, ...given });
    return this.open(form.action, stop, { method: 'POST', body });
  }

  #take(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';', 1);
      const equals = pair.indexOf('=');
      if (/;\s*max-age=0(;|$)/i.test(line)) this.#cookies.delete(pair.slice(0, equals));
      else this.#cookies.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
  }
}

/** The forms of a page, in order. */
export function formsOf({ text }: Page): Form[] {
  return [...text.matchAll(/<form method="post" action="([^"]*)">(.*?)<\/form>/gs)].map(
    ([, action = '', body = '']) => ({
      action: unescaped(action),
      fields: Object.fromEntries(
        [...body.matchAll(/<(?:input|button)\b[^>]*>/g)]
          .map(([tag]) => [attribute(tag, 'name'), attribute(tag, 'value')] as const)
          .filter(([name]) => name !== '')
          .reverse(),
      ),
    }),
  );
}

function attribute(tag: string, name: string): string {
  return unescaped(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
