// What every client of the suites needs of HTTP: cookies, JSON, and the member at a path. Network.
import type { OAuth2Client } from './ory.ts';

export function basic({ id, secret }: OAuth2Client): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

/** Enough of RFC 6265 for one origin. */
export class CookieJar {
  readonly #cookies = new Map<string, string>();

  take(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const pair = line.split(';', 1)[0] ?? '';
      const equals = pair.indexOf('=');
      const gone = /;\s*max-age=0(;|$)/i.test(line);
      if (gone) this.#cookies.delete(pair.slice(0, equals));
      else this.#cookies.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
  }

  set(name: string, value: string): void {
    this.#cookies.set(name, value);
  }

  get(name: string): string | undefined {
    return this.#cookies.get(name);
  }

  header(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }
}

interface JsonRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export function jsonRequest(method: string, body: unknown): JsonRequest {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  return { method, headers, body: JSON.stringify(body) };
}

export async function expectOk(url: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, { redirect: 'error', ...init });
  const body = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${new URL(url).pathname}: ${response.status} ${body}`);
  return body === '' ? undefined : parse(body);
}

export function parse(json: string): unknown {
  return JSON.parse(json);
}

/** The value at a path of member names, `undefined` where there is none. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<string, unknown>)[name];
  }
  return current;
}

export function text(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  if (typeof found !== 'string') throw new Error(`no string at ${path.join('.')}`);
  return found;
}

/** The hidden `csrf_token` input of a flow. */
export function csrfToken(flow: unknown): string {
  return text(nodeWith(flow, 'name', 'csrf_token'), 'attributes', 'value');
}

/** The node of a flow that has this attribute, `undefined` where there is none. */
export function nodeWith(flow: unknown, attribute: 'name' | 'id', value: string): unknown {
  const nodes = at(flow, 'ui', 'nodes');
  const list: unknown[] = Array.isArray(nodes) ? nodes : [];
  return list.find((node) => at(node, 'attributes', attribute) === value);
}
