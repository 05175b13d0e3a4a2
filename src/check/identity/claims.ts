// What is read in a token's claims and in a session, in one place for requirements and identity headers. No I/O.
import { isObject, type Json, type JsonObject } from './identity.ts';

/** The value at a path of own members; undefined where there is none. */
export function valueAt(root: Json | undefined, path: readonly string[]): Json | undefined {
  let at = root;
  for (const step of path) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return at;
}

/** A whole number beyond 2^53 - 1: reading JSON has rounded it, and several different ones have become this one. */
export function isRounded(value: unknown): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/**
 * The scopes of a token: `scp` and `scope` together, each a list or a text with spaces between (Hydra's
 * `strategies.jwt.scope_claim`; RFC 7662, section 2.2). Undefined where the token has neither.
 */
export function scopesOf(claims: JsonObject): readonly string[] | undefined {
  const lists = ['scp', 'scope'].flatMap((name) => {
    const value = valueAt(claims, [name]);
    if (typeof value === 'string') return [value.split(' ').filter((scope) => scope !== '')];
    return Array.isArray(value) ? [value.filter((one) => typeof one === 'string')] : [];
  });
  return lists.length === 0 ? undefined : [...new Set(lists.flat())];
}
