// An identity as the application gets it: header values that cannot be anything but values. No I/O.
import type { IdentityHeader } from '../../config/config.ts';
import { isRounded, scopesOf, valueAt } from '../identity/claims.ts';
import { type Identity, isObject, type Json } from '../identity/identity.ts';

/** Longer values are refused as a whole request: a cut identity would be another one. */
const MAX_VALUE_BYTES = 16_384;

/** Lower-case name and value. */
export type HeaderPair = readonly [name: string, value: string];

/**
 * The headers of one identity, each with the first of its sources that has a value.
 * @throws {Error} where a value cannot be written, with the header's name alone: the request is refused.
 */
export function identityHeaders(identity: Identity, headers: readonly IdentityHeader[]): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (const header of headers) {
    const value = firstValue(identity, header);
    if (value === undefined) continue;
    const encoded = encodeValue(value);
    if (encoded.length > MAX_VALUE_BYTES)
      throw new Error(`the identity header ${header.name} is larger than ${MAX_VALUE_BYTES} bytes`);
    pairs.push([header.name.toLowerCase(), encoded]);
  }
  return pairs;
}

/** What the headers read in a session. */
export function sessionPaths(headers: readonly IdentityHeader[]): readonly (readonly string[])[] {
  const sources = headers.flatMap((header) => header.sources).filter(({ kind }) => kind === 'session');
  return sources.map(({ path }) => (isVerifiedEmail(path) ? VERIFIABLE_ADDRESSES : path));
}

function firstValue(identity: Identity, { name, sources }: IdentityHeader): string | undefined {
  for (const source of sources) {
    if (source.kind !== identity.kind) continue;
    const value = sourceValue(identity, source.path);
    if (holdsRounded(value))
      throw new Error(`the identity header ${name} has a number beyond 2^53, which is not exact`);
    const text = asText(value);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Two people whose numbers differ would be one to the application. */
function holdsRounded(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) return isRounded(value);
  return Object.values(value).some(holdsRounded);
}

function sourceValue(identity: Identity, path: readonly string[]): Json | undefined {
  const root = identity.kind === 'session' ? identity.session : identity.claims;
  const derived =
    identity.kind === 'session' ? derivedFromSession(identity.session, path) : derivedFromToken(identity.claims, path);
  return derived === NOT_DERIVED ? valueAt(root, path) : derived;
}

const NOT_DERIVED: unique symbol = Symbol('not derived');

const VERIFIABLE_ADDRESSES = ['identity', 'verifiable_addresses'];

/** `session.identity.verified_email`: the first email address that Kratos has verified. */
function isVerifiedEmail(path: readonly string[]): boolean {
  return path.join('.') === 'identity.verified_email';
}

function derivedFromSession(session: Json, path: readonly string[]): Json | undefined | typeof NOT_DERIVED {
  if (!isVerifiedEmail(path)) return NOT_DERIVED;
  const addresses = valueAt(session, VERIFIABLE_ADDRESSES);
  if (!Array.isArray(addresses)) return undefined;
  const verified = addresses.find((one) => isObject(one) && one['via'] === 'email' && one['verified'] === true);
  return valueAt(verified, ['value']);
}

/** `token.scopes`: the scopes as a list, whether Hydra wrote `scp` or `scope`. */
function derivedFromToken(claims: Json, path: readonly string[]): Json | undefined | typeof NOT_DERIVED {
  if (path.join('.') !== 'scopes') return NOT_DERIVED;
  return isObject(claims) ? scopesOf(claims) : undefined;
}

/** Undefined for what is not a value: the next source is tried. */
function asText(value: Json | undefined): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Percent-encoded UTF-8 for every byte outside 0x21-0x7E, and for "%" itself: never a second header, always reversible. */
export function encodeValue(text: string): string {
  if (isPlain(text)) return text;
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    out +=
      byte > 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x25) return false;
  }
  return true;
}
