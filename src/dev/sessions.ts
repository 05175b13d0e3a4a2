// Sessions of the development Ory and `/sessions/whoami`: which credential counts, and what it answers. No I/O.
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { cookieValues, type DevContext, fault, firstHeader, json } from './answer.ts';
import { type Identity, identityJson } from './identities.ts';
import { randomToken } from './random.ts';

export const sessionCookie = 'ory_kratos_session';

export interface Session {
  readonly id: string;
  readonly token: string;
  readonly logoutToken: string;
  readonly identity: Identity;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly device: Readonly<Record<string, string>>;
  ended: boolean;
}

const maxSessions = 10_000;

export class Sessions {
  readonly #byToken = new LRUCache<string, Session>({
    max: maxSessions,
    dispose: (session) => this.#byId.delete(session.id),
  });
  readonly #byId = new Map<string, Session>();
  readonly #clock: () => number;
  readonly #lifespanMs: number;
  readonly #cookieKey = randomBytes(32);

  constructor(clock: () => number, lifespanMs: number) {
    this.#clock = clock;
    this.#lifespanMs = lifespanMs;
  }

  issue(identity: Identity, ipAddress: string, userAgent: string): Session {
    const now = this.#clock();
    const session: Session = {
      id: randomUUID(),
      token: randomToken('ory_st_'),
      logoutToken: randomToken('ory_lo_'),
      identity,
      issuedAtMs: now,
      expiresAtMs: now + this.#lifespanMs,
      device: { id: randomUUID(), ip_address: ipAddress, user_agent: userAgent, location: '' },
      ended: false,
    };
    this.#byToken.set(session.token, session);
    this.#byId.set(session.id, session);
    return session;
  }

  /** The session of that token while it is good: not ended, not expired, its identity active. */
  active(token: string): Session | undefined {
    const session = this.#byToken.get(token);
    const good = session && !session.ended && session.identity.state === 'active';
    return good && session.expiresAtMs > this.#clock() ? session : undefined;
  }

  /** Ends it, but remembers that it was: ending it once more is no error for Kratos either. */
  end(session: Session): void {
    session.ended = true;
  }

  /** By token. False where there never was one. */
  forget(token: string): boolean {
    const session = this.#byToken.get(token);
    if (session) this.end(session);
    return session !== undefined;
  }

  /** By id. False where there never was one. */
  revoke(id: string): boolean {
    const session = this.#byId.get(id);
    if (session) this.end(session);
    return session !== undefined;
  }

  /** Kratos deletes these, so a second call finds none. Returns how many there were. */
  endAllOf(identity: Identity): number {
    const theirs = [...this.#byId.values()].filter((session) => session.identity === identity);
    for (const session of theirs) this.#byToken.delete(session.token);
    return theirs.length;
  }

  /** A cookie's value is opaque, as Kratos's is: the token sealed with AES-256-GCM under a key of this process. */
  seal(session: Session): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#cookieKey, iv);
    const sealed = Buffer.concat([cipher.update(session.token, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  unseal(value: string): string | undefined {
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length < 29) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#cookieKey, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }
}

/** Kratos's precedence: `X-Session-Token`, the first session cookie that opens, `Authorization: Bearer`. '' is none. */
export function presentedToken(c: DevContext, sessions: Sessions): string {
  return firstHeader(c, 'x-session-token') || cookieToken(c, sessions) || bearerToken(c);
}

/** The token in the session cookie, '' without a cookie that opens. */
export function cookieToken(c: DevContext, sessions: Sessions): string {
  for (const value of cookieValues(c, sessionCookie)) {
    const token = sessions.unseal(value);
    if (token !== undefined) return token;
  }
  return '';
}

function bearerToken(c: DevContext): string {
  const [scheme = '', token = '', ...rest] = firstHeader(c, 'authorization').split(' ');
  return scheme.toLowerCase() === 'bearer' && rest.length === 0 ? token : '';
}

/** `/sessions/whoami`. A broken cookie beside a good credential is Kratos's own 500, identity header included. */
export function whoami(c: DevContext, sessions: Sessions, baseUrl: string): Response {
  c.header('Vary', 'Cookie');
  const session = sessions.active(presentedToken(c, sessions));
  if (!session) return fault(c, 401, { reason: 'No valid session credentials found in the request.' });
  c.header('X-Kratos-Authenticated-Identity-Id', session.identity.id);
  const hasCookie = cookieValues(c, sessionCookie).length > 0;
  if (hasCookie && cookieToken(c, sessions) === '') {
    return fault(c, 500, { message: 'The session cookie could not be decoded.' });
  }
  return json(c, 200, sessionJson(session, baseUrl));
}

export function sessionJson(session: Session, baseUrl: string): Record<string, unknown> {
  const issuedAt = new Date(session.issuedAtMs).toISOString();
  return {
    id: session.id,
    active: true,
    expires_at: new Date(session.expiresAtMs).toISOString(),
    authenticated_at: issuedAt,
    authenticator_assurance_level: 'aal1',
    authentication_methods: [{ method: 'password', aal: 'aal1', completed_at: issuedAt }],
    issued_at: issuedAt,
    identity: identityJson(session.identity, baseUrl),
    devices: [session.device],
  };
}
