// Reading a compact JWS strictly, before any cryptography (RFC 7515; RFC 8725, section 3). No I/O.
import { isObject, type JsonObject } from './identity.ts';

/** Asymmetric algorithms alone: with a symmetric one a published key would sign. */
export const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** All that the generated Envoy lets through in headers: its own yes has no bound beside that. A longer one is not read. */
export const MAX_JWS_BYTES = 61_440;

/** Header members that bring a key of their own, or that must be understood. Their presence is a refusal. */
export const FORBIDDEN_MEMBERS = ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'zip'];

/** Seconds since the epoch, exclusive: what lies beyond is no time. */
export const MAX_TIME = 1e12;

export interface Jws {
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

/** Undefined where the token is not a plain compact JWS with a JSON object as payload. */
export function readJws(token: string): Jws | undefined {
  if (token.length > MAX_JWS_BYTES) return undefined;
  const parts = token.split('.', 4);
  const [head, body, signature] = parts;
  if (parts.length !== 3 || !head || !body || !signature) return undefined;
  if (!isStrictBase64url(head) || !isStrictBase64url(body) || !isStrictBase64url(signature)) return undefined;
  const header = parseJson(head);
  const claims = parseJson(body);
  if (!header || !claims || FORBIDDEN_MEMBERS.some((member) => Object.hasOwn(header, member))) return undefined;
  return { header, claims };
}

const VALUES = new Map(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map((char, i) => [char.charCodeAt(0), i]),
);

/** No padding, no other characters, no length that cannot be, no bits left over: one token, one spelling. */
export function isStrictBase64url(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (!VALUES.has(text.charCodeAt(i))) return false;
  }
  const last = VALUES.get(text.charCodeAt(text.length - 1)) ?? 0;
  switch (text.length % 4) {
    case 1:
      return false;
    case 2:
      return (last & 0b1111) === 0;
    case 3:
      return (last & 0b11) === 0;
    default:
      return true;
  }
}

function parseJson(part: string): JsonObject | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(part, 'base64url'));
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
