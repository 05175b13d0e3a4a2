// Signing keys of the development Ory, and the JWKS that publishes their public halves. No I/O.
import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';

export const accessTokenKeySet = 'hydra.jwt.access-token';
export const idTokenKeySet = 'hydra.openid.id-token';
const maxKeysPerSet = 20;
const maxSets = 20;
const algorithm = 'RS256';

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export class Keys {
  /** In each set the newest key first. */
  readonly #sets = new Map<string, SigningKey[]>();

  /** Hydra begins with a key for ID tokens and one for access tokens, and publishes both. */
  static async create(): Promise<Keys> {
    const keys = new Keys();
    await keys.rotate(idTokenKeySet);
    await keys.rotate(accessTokenKeySet);
    return keys;
  }

  async rotate(set: string): Promise<void> {
    await this.generate(set, randomUUID());
  }

  /** A new key as the newest of its set. @returns its private JWK, undefined where the set is full */
  async generate(set: string, kid: string): Promise<JWK | undefined> {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid, use: 'sig', alg: algorithm };
    return (await this.put(set, kid, jwk)) ? jwk : undefined;
  }

  /** Adds a private RSA key as the newest of its set. False where it is none, or the set is full. */
  async put(set: string, kid: string, jwk: JWK): Promise<boolean> {
    const { kty, n, e, d } = jwk;
    if (kty !== 'RSA' || n === undefined || e === undefined || d === undefined) return false;
    const others = (this.#sets.get(set) ?? []).filter((key) => key.publicJwk.kid !== kid);
    if (others.length >= maxKeysPerSet || (!this.#sets.has(set) && this.#sets.size >= maxSets)) return false;
    const privateKey = await importJWK(jwk, algorithm).catch(() => undefined);
    if (privateKey === undefined || privateKey instanceof Uint8Array) return false;
    this.#sets.set(set, [{ privateKey, publicJwk: { use: 'sig', kty, kid, alg: algorithm, n, e } }, ...others]);
    return true;
  }

  jwks(): { readonly keys: readonly JWK[] } {
    return { keys: [...this.#sets.values()].flat().map((key) => key.publicJwk) };
  }

  /** The public halves of one set, newest first; undefined where there is no such set. */
  jwksOf(set: string): { readonly keys: readonly JWK[] } | undefined {
    const keys = this.#sets.get(set);
    return keys && { keys: keys.map((key) => key.publicJwk) };
  }

  /** With the newest key of the set. `header` is merged over `{alg, kid, typ: 'JWT'}`. */
  async sign(
    claims: Record<string, unknown>,
    header: Record<string, unknown> = {},
    set: string = accessTokenKeySet,
  ): Promise<string> {
    const key = this.#sets.get(set)?.[0];
    if (key === undefined) throw new Error('no signing key');
    const merged = { alg: algorithm, kid: key.publicJwk.kid, typ: 'JWT', ...header };
    return new SignJWT(claims).setProtectedHeader(merged as JWTHeaderParameters).sign(key.privateKey);
  }
}
