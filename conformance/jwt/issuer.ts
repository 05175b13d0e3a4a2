// An issuer of access tokens, right and wrong in every detail: keys, the JWKS of each set of them, and tokens made of any
// bytes. No I/O.
import { createHmac, generateKeyPairSync, type KeyObject, constants as rsa, sign as signBytes } from 'node:crypto';

export const ISSUER = 'https://issuer.test/';
export const AUDIENCE = 'https://api.test';

export type Jwk = Readonly<Record<string, unknown>>;

export interface SigningKey {
  /** As it stands in the JWKS. */
  readonly jwk: Jwk;
  readonly privateKey: KeyObject | Buffer;
  readonly alg: string;
}

/** A new key for `alg`; `jwk` changes what is published of it, undefined takes a member away. */
export function makeKey(alg: string, kid: string, jwk: Jwk = {}, bits = 2_048): SigningKey {
  const { publicKey, privateKey } = pairFor(alg, bits);
  return { jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg, ...jwk }, privateKey, alg };
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

function pairFor(alg: string, bits: number): { publicKey: KeyObject; privateKey: KeyObject } {
  const curve = CURVES[alg];
  if (curve !== undefined) return generateKeyPairSync('ec', { namedCurve: curve });
  return alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('rsa', { modulusLength: bits });
}

/** A signature as `alg` has it (RFC 7518, RFC 8037), whatever the key was meant for. */
export function signature(alg: string, privateKey: KeyObject | Buffer, input: string): Buffer {
  const data = Buffer.from(input);
  if (Buffer.isBuffer(privateKey))
    return createHmac(`sha${alg.slice(2)}`, privateKey)
      .update(data)
      .digest();
  const digest = `sha${alg.slice(2)}`;
  switch (alg.slice(0, 2)) {
    case 'ES':
      return signBytes(digest, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    case 'PS':
      return signBytes(digest, data, {
        key: privateKey,
        padding: rsa.RSA_PKCS1_PSS_PADDING,
        saltLength: rsa.RSA_PSS_SALTLEN_DIGEST,
      });
    case 'RS':
      return signBytes(digest, data, privateKey);
    default:
      return signBytes(undefined, data, privateKey);
  }
}

export function base64url(part: unknown): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url');
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** A signed token. Texts and bytes stand as they are, anything else as JSON. */
export function compact(key: SigningKey, header: unknown, payload: unknown): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${base64url(signature(key.alg, key.privateKey, input))}`;
}
