// What was sent to a flow, as a form or as JSON. No I/O.
import { type DevContext, member, readJson } from '../answer.ts';

export interface Submission {
  /** '' where there is no such text. */
  text(name: string): string;
  /** Of JSON any value; of a form a text. */
  value(name: string): unknown;
  /** What a form sent; of several fields of one name the last, as Kratos takes it. Empty where it was JSON. */
  readonly fields: ReadonlyMap<string, string>;
}

export async function readSubmission(c: DevContext): Promise<Submission> {
  const type = c.req.header('content-type') ?? '';
  const form = /^application\/x-www-form-urlencoded\b/i.test(type);
  const fields = new Map(form ? new URLSearchParams(await c.req.text()) : []);
  const body = form ? undefined : await readJson(c);
  const value = (name: string): unknown => (form ? fields.get(name) : member(body, name));
  const header = c.req.header('x-csrf-token') ?? '';
  return {
    fields,
    value,
    text(name) {
      const found = value(name);
      if (typeof found === 'string') return found;
      return name === 'csrf_token' ? header : '';
    },
  };
}
