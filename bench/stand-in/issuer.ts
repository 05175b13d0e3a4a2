// Access tokens as Hydra signs them, ES256, one for each person. No I/O.
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { identityIdOf } from './credentials.ts';

export const AUDIENCE = 'https://api.example';

export interface Issuer {
  /** With the slash at the end, as Hydra has it. */
  readonly name: string;
  /** The public key, as one of a JWKS. */
  readonly key: object;
  readonly jwks: string;
  tokenOf(person: number): string;
}

/** With a key of its own. Tokens are good for an hour from `nowMs` on. */
export function makeIssuer(name: string, nowMs: number): Issuer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
  const now = Math.floor(nowMs / 1_000);
  return {
    name,
    key: jwk,
    jwks: JSON.stringify({ keys: [jwk] }),
    tokenOf: (person) =>
      signed(privateKey, kid, {
        aud: [AUDIENCE],
        client_id: '9f3c1c8e-53a1-44d0-8dcb-2d8d4e2c2b0f',
        exp: now + 3_600,
        ext: { email: `person-${person}@example.com` },
        iat: now,
        iss: name,
        jti: `7d0e1b52-${person.toString(16).padStart(12, '0')}`,
        nbf: now,
        scp: ['orders:read'],
        sub: identityIdOf(person),
      }),
  };
}

function signed(key: KeyObject, kid: string, claims: unknown): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'ES256', kid, typ: 'JWT' })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
