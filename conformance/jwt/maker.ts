// Tokens for the cases: a good one as Hydra writes it, but for what a case changes. No I/O.
import { AUDIENCE, base64url, compact, ISSUER, type SigningKey, signature } from './issuer.ts';
import type { Keys } from './keys.ts';

type Members = Readonly<Record<string, unknown>>;

export class Maker {
  readonly keys: Keys;
  /** Seconds since the epoch, whole ones. */
  readonly now: number;

  constructor(keys: Keys, now: number) {
    this.keys = keys;
    this.now = now;
  }

  claims(change: Members = {}): Members {
    const { now } = this;
    return {
      ...{ iss: ISSUER, sub: 'user', client_id: 'client', aud: [AUDIENCE] },
      ...{ exp: now + 300, iat: now, nbf: now, jti: 'j', scp: ['read'], ext: {} },
      ...change,
    };
  }

  header(key: SigningKey, change: Members = {}): Members {
    return { alg: key.alg, kid: key.jwk['kid'], typ: 'JWT', ...change };
  }

  /** A member that is undefined is left out. */
  token(claims: Members = {}, header: Members = {}, key = this.keys.rs256): string {
    return compact(key, this.header(key, header), this.claims(claims));
  }

  /** A payload of any text or bytes. */
  payload(payload: unknown): string {
    return compact(this.keys.rs256, this.header(this.keys.rs256), payload);
  }

  /** The good claims as text with `more` written before its end, as it is. */
  claimsWith(more: string): string {
    return this.payload(`${JSON.stringify(this.claims()).slice(0, -1)},${more}}`);
  }

  headerWith(more: string): string {
    const { rs256 } = this.keys;
    return compact(rs256, `${JSON.stringify(this.header(rs256)).slice(0, -1)},${more}}`, this.claims());
  }

  /** Good parts, changed as text before they are signed: what is signed is what is sent. */
  parts(change: (head: string, body: string) => readonly [string, string]): string {
    const { rs256 } = this.keys;
    const input = change(base64url(this.header(rs256)), base64url(this.claims())).join('.');
    return `${input}.${base64url(signature('RS256', rs256.privateKey, input))}`;
  }
}

/** The same bytes with another last character: bits of it that stand for nothing are set (RFC 4648, section 3.5). */
export function withLooseBits(text: string): string {
  if (!hasLooseBits(text)) throw new Error('every bit of the last character counts here');
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) ?? '') ^ 1];
}

/** Of a token, its last part counts. */
export function hasLooseBits(text: string): boolean {
  return (text.length - 1 - text.lastIndexOf('.')) % 4 >= 2;
}
