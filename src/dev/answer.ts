// The shapes in which Kratos and Hydra answer, errors included. No I/O.
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

export type DevContext = Context<{ Bindings: HttpBindings }>;

type Status = 200 | 201 | 400 | 401 | 403 | 404 | 409 | 410 | 415 | 422 | 500;

export const noStore = 'private, no-cache, no-store, must-revalidate';

/** Kratos's answer: JSON that nobody may store. */
export function json(c: DevContext, status: Status, body: unknown): Response {
  c.header('Cache-Control', noStore);
  c.header('Content-Type', 'application/json; charset=utf-8');
  return c.body(JSON.stringify(body), status);
}

export function noContent(c: DevContext): Response {
  c.header('Cache-Control', noStore);
  return c.body(null, 204);
}

const titles: Readonly<Record<number, readonly [status: string, message: string]>> = {
  400: ['Bad Request', 'The request was malformed or contained invalid parameters'],
  401: ['Unauthorized', 'The request could not be authorized'],
  403: ['Forbidden', 'The requested action was forbidden'],
  404: ['Not Found', 'Unable to locate the resource'],
  409: ['Conflict', 'The resource could not be created due to a conflict'],
  410: ['Gone', 'The resource is no longer available'],
  415: ['Unsupported Media Type', 'Send JSON'],
  422: ['Unprocessable Entity', 'The request cannot be carried out'],
  500: ['Internal Server Error', 'An internal server error occurred'],
};

export interface Fault {
  readonly id?: string;
  readonly reason?: string;
  readonly message?: string;
  /** Where a browser is to go: beside the error and, where Kratos repeats it there, in its `details`. */
  readonly redirect?: string;
  readonly details?: Readonly<Record<string, string>>;
}

/** Kratos's error: `{"error":{code, status, reason, message}}`, with an `id` where the caller is to act on it. */
export function fault(
  c: DevContext,
  status: Exclude<Status, 200 | 201>,
  { id, reason, message, redirect, details }: Fault,
): Response {
  const [title, usual] = titles[status] ?? ['Error', 'Error'];
  const error = {
    ...(id === undefined ? {} : { id }),
    code: status,
    status: title,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    message: message ?? usual,
  };
  c.header('Cache-Control', noStore);
  c.header('Content-Type', 'application/json');
  const body = redirect === undefined ? { error } : { error, redirect_browser_to: redirect };
  return c.body(JSON.stringify(body), status);
}

/** RFC 6749 section 5.2, as Hydra words it. */
export function oauthError(c: DevContext, status: 400 | 401, error: string, description: string): Response {
  c.header('Cache-Control', 'no-store');
  c.header('Pragma', 'no-cache');
  c.header('Content-Type', 'application/json;charset=UTF-8');
  return c.body(JSON.stringify({ error, error_description: description }), status);
}

/** Kratos takes a request for a browser's unless JSON is the first type that it accepts. */
export function wantsJson(c: DevContext): boolean {
  return /^\s*application\/json\b/i.test(c.req.header('accept') ?? '');
}

/** The first of duplicate headers, as Go reads them; Node would join them. */
export function firstHeader(c: DevContext, name: string): string {
  const raw = c.env.incoming.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() === name) return raw[i + 1] ?? '';
  }
  return '';
}

/** The values of all cookies of that name, in order, without the quotes that a value may wear. */
export function cookieValues(c: DevContext, name: string): string[] {
  const values: string[] = [];
  for (const pair of (c.req.header('cookie') ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    values.push(
      pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    );
  }
  return values;
}

/**
 * A JSON object or array from the body. Only with a JSON content type, which no page of another origin can send without
 * asking first: the admin API has no other guard.
 */
export async function readJson(c: DevContext): Promise<unknown> {
  if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) return undefined;
  try {
    const body: unknown = await c.req.json();
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}

/** The member of that name, `undefined` where there is none. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

export function textMember(value: unknown, name: string): string {
  const found = member(value, name);
  return typeof found === 'string' ? found : '';
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
