// Keys that are made for one run, and tokens signed with them. No I/O.
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';

export interface Key {
  /** The public half. */
  readonly jwk: JWK & { readonly kid: string };
  readonly privateKey: CryptoKey;
}

const ALG = 'ES256';

export async function createKey(kid: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(ALG);
  return { jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: ALG }, privateKey };
}

/** Not by jose's own maker of JWTs: claims of the wrong type are signed as well. */
export async function sign(claims: object, { jwk, privateKey }: Key): Promise<string> {
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: ALG, kid: jwk.kid, typ: 'JWT' })
    .sign(privateKey);
}
