// An issuer of tokens as a test wants it: keys, their JWKS behind a stub client, tokens right and wrong. No I/O.
import {
  type CompactJWSHeaderParameters,
  CompactSign,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
} from 'jose';
import { createAccessTokenVerifier } from '../identity/access-token.ts';
import { Jwks } from '../identity/jwks.ts';
import { createJwtVerifier } from '../identity/jwt.ts';
import type { NoAnswer, OryAnswer } from '../identity/ory-client.ts';
import { ThrottledLog } from '../log.ts';
import { RecordingLog } from './recording-log.ts';
import { TurnedClock } from './turned-clock.ts';

const ISSUER = 'https://issuer.example/';
export const JWKS_URL = 'https://issuer.example/.well-known/jwks.json';

export interface Key {
  readonly jwk: JWK & { kid: string };
  readonly privateKey: CryptoKey;
  readonly alg: string;
}

export async function makeKey(alg: string, kid: string, more: Partial<JWK> = {}): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg, ...more }, privateKey, alg };
}

/** Claims as Hydra writes them. */
export function hydraClaims(clock: TurnedClock): Record<string, unknown> {
  const now = clock.now / 1_000;
  return {
    iss: ISSUER,
    sub: 'user',
    client_id: 'client',
    aud: ['https://api.example'],
    exp: now + 3_600,
    iat: now,
    nbf: now,
    jti: 'j',
    scp: ['read'],
    ext: {},
  };
}

export async function sign(key: Key, claims: unknown, header: Record<string, unknown> = {}): Promise<string> {
  const payload = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const full = { alg: key.alg, kid: key.jwk.kid, typ: 'JWT', ...header } as CompactJWSHeaderParameters;
  return await new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader(full).sign(key.privateKey);
}

/** A part of a token, of anything. */
export function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

export class IssuerRig {
  readonly clock = new TurnedClock();
  readonly log = new RecordingLog();
  /** Every address that was asked. */
  readonly asked: string[] = [];
  answer: () => OryAnswer | NoAnswer | Promise<OryAnswer | NoAnswer> = () => ({ kind: 'none', cause: 'down' });
  readonly jwks: Jwks;
  /** What waits for its time; the last one is the one that counts. */
  readonly timers: { readonly ms: number; readonly work: () => void }[] = [];

  constructor(keys: readonly JWK[] = []) {
    this.publish(keys);
    const client = {
      get: async (url: string) => {
        this.asked.push(url);
        return await this.answer();
      },
    };
    this.jwks = new Jwks({
      url: JWKS_URL,
      client,
      clock: this.clock.read,
      log: new ThrottledLog(this.log, this.clock.read),
      after: (ms, work) => {
        const timer = { ms, work };
        this.timers.push(timer);
        return () => void this.timers.splice(this.timers.indexOf(timer), 1);
      },
    });
  }

  /** Turns the clock to the next timer, and lets it and the fetch behind it run. */
  async ring(): Promise<void> {
    const [timer] = this.timers.splice(0);
    if (!timer) throw new Error('nothing waits');
    this.clock.now += timer.ms;
    timer.work();
    await new Promise((resolve) => setImmediate(resolve));
  }

  publish(keys: readonly unknown[]): void {
    this.respond(200, JSON.stringify({ keys }));
  }

  respond(status: number, body: string): void {
    this.answer = () => ({ kind: 'answer', status, header: () => [], body });
  }

  goDown(): void {
    this.answer = () => ({ kind: 'none', cause: 'ECONNREFUSED' });
  }

  verifier(clockSkewMs = 60_000) {
    const { jwks, clock } = this;
    const jwt = createJwtVerifier({ issuer: ISSUER, clockSkewMs, jwks, clock: clock.read });
    return createAccessTokenVerifier({ jwt, opaque: undefined });
  }

  /** The reason of a refusal or an outage, or `verified`. */
  async judge(token: string, clockSkewMs?: number): Promise<string> {
    const verification = await this.verifier(clockSkewMs).verify({ kind: 'access_token', value: token });
    return verification.kind === 'verified' ? 'verified' : verification.reason;
  }
}
