// The keys of the token cases, in sets: each set is a JWKS that an issuer might publish. No I/O.
import { createPublicKey, randomBytes } from 'node:crypto';
import { type Jwk, makeKey, type SigningKey } from './issuer.ts';

export interface Keys {
  readonly rs256: SigningKey;
  /** RSA, for any algorithm of RSA. */
  readonly rsa: SigningKey;
  readonly ps256: SigningKey;
  readonly es256: SigningKey;
  readonly es384: SigningKey;
  readonly es512: SigningKey;
  readonly ed25519: SigningKey;
  /** Published with an algorithm that it is not used with. */
  readonly rs512: SigningKey;
  readonly weak: SigningKey;
  readonly encryption: SigningKey;
  readonly operations: SigningKey;
  readonly secret: SigningKey;
  readonly nameless: SigningKey;
  /** Not published; its `kid` is that of {@link rs256}. */
  readonly foreign: SigningKey;
  readonly sets: Readonly<Record<KeySetName, readonly Jwk[]>>;
}

export const KEY_SETS = ['main', 'weak', 'encryption', 'symmetric', 'namesakes', 'nameless', 'broken', 'many'] as const;
export type KeySetName = (typeof KEY_SETS)[number];

export function makeKeys(): Keys {
  const rs256 = makeKey('RS256', 'rs256');
  const rsa = makeKey('RS256', 'rsa', { alg: undefined });
  const foreign = makeKey('RS256', 'rs256');
  const ps256 = makeKey('PS256', 'ps256');
  const es256 = makeKey('ES256', 'es256');
  const es384 = makeKey('ES384', 'es384');
  const es512 = makeKey('ES512', 'es512');
  const ed25519 = makeKey('EdDSA', 'ed25519');
  const rs512 = { ...makeKey('RS512', 'rs512'), alg: 'RS256' };
  const weak = makeKey('RS256', 'weak', {}, 1_024);
  const encryption = makeKey('RS256', 'encryption', { use: 'enc' });
  const operations = makeKey('RS256', 'operations', { use: undefined, key_ops: ['encrypt'] });
  const nameless = makeKey('RS256', '', { kid: undefined });
  const bytes = randomBytes(32);
  const secret: SigningKey = {
    jwk: { kty: 'oct', kid: 'secret', alg: 'HS256', k: bytes.toString('base64url') },
    privateKey: bytes,
    alg: 'HS256',
  };
  const main = [rs256, rsa, ps256, es256, es384, es512, ed25519, rs512].map(({ jwk }) => jwk);
  const other = makeKey('ES256', 'other').jwk;
  return {
    ...{ rs256, rsa, ps256, es256, es384, es512, ed25519, rs512, weak, encryption, operations, secret, nameless },
    foreign,
    sets: {
      main,
      weak: [weak.jwk, other],
      encryption: [encryption.jwk, operations.jwk, other],
      symmetric: [secret.jwk, other],
      namesakes: [foreign.jwk, rs256.jwk],
      nameless: [nameless.jwk, other],
      broken: [{ kty: 'RSA', kid: 'broken', alg: 'RS256' }, { kty: 'XYZ', kid: 'strange' }, rs256.jwk],
      many: [...Array.from({ length: 150 }, (_, i) => ({ ...other, kid: `k${i}` })), rs256.jwk],
    },
  };
}

/** An HMAC with the published key as its secret: the classic confusion of algorithms. */
export function confused({ jwk }: SigningKey): SigningKey {
  const pem = createPublicKey({ key: { ...jwk }, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
  return { jwk, privateKey: Buffer.from(pem), alg: 'HS256' };
}
