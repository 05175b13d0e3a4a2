// The sessions of the development Ory, and how strong each is. No I/O.
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { randomToken } from '../random.ts';
import { type Identity, identityJson } from './identities.ts';

export type Aal = 'aal1' | 'aal2';

/** What whoami and settings ask of a session: the second factor of whoever has one, or none. */
export type RequiredAal = 'aal1' | 'highest_available';

interface Device {
  readonly id: string;
  readonly ip_address: string;
  readonly user_agent: string;
  readonly location: '';
}

interface CompletedMethod {
  readonly method: 'password' | 'totp';
  readonly completedAtMs: number;
}

export interface Session {
  readonly id: string;
  readonly token: string;
  readonly logoutToken: string;
  readonly identity: Identity;
  readonly issuedAtMs: number;
  authenticatedAtMs: number;
  expiresAtMs: number;
  methods: readonly CompletedMethod[];
  devices: readonly Device[];
  ended: boolean;
}

const maxSessions = 10_000;
/** Of the logins into one session. */
const maxRemembered = 20;

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
      authenticatedAtMs: now,
      expiresAtMs: now + this.#lifespanMs,
      methods: [{ method: 'password', completedAtMs: now }],
      devices: [newDevice(ipAddress, userAgent)],
      ended: false,
    };
    this.#byToken.set(session.token, session);
    this.#byId.set(session.id, session);
    return session;
  }

  /** One more login into the same session: a second factor, or a password given anew. It lives on from now. */
  refresh(session: Session, method: CompletedMethod['method'], ipAddress: string, userAgent: string): void {
    this.addMethod(session, method);
    session.authenticatedAtMs = this.#clock();
    session.expiresAtMs = session.authenticatedAtMs + this.#lifespanMs;
    session.devices = [...session.devices, newDevice(ipAddress, userAgent)].slice(-maxRemembered);
  }

  /** Who enrols an authenticator app has shown its code, and is at aal2 with it. */
  addMethod(session: Session, method: CompletedMethod['method']): void {
    const { methods } = session;
    // Of the method that comes anew the oldest goes: a second factor is not forgotten over many passwords.
    const oldest = methods.length < maxRemembered ? -1 : methods.findIndex((one) => one.method === method);
    session.methods = [...methods.filter((_, i) => i !== oldest), { method, completedAtMs: this.#clock() }];
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

  /** All that live, newest first. */
  list(): Session[] {
    return [...this.#byId.values()].filter((session) => this.active(session.token) === session).reverse();
  }

  listOf(identity: Identity): Session[] {
    return this.list().filter((session) => session.identity === identity);
  }

  /** Also one that has ended. */
  get(id: string): Session | undefined {
    return this.#byId.get(id);
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
  seal({ token }: Pick<Session, 'token'>): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#cookieKey, iv);
    const sealed = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
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

function newDevice(ipAddress: string, userAgent: string): Device {
  return { id: randomUUID(), ip_address: ipAddress, user_agent: userAgent, location: '' };
}

export function aalOf(session: Session): Aal {
  return session.methods.some(({ method }) => method === 'totp') ? 'aal2' : 'aal1';
}

/** False where the person has a second factor, the session has not seen it, and it is asked for. */
export function satisfies(session: Session, required: RequiredAal): boolean {
  const wanted = required === 'highest_available' && session.identity.totpSecret !== undefined;
  return !wanted || aalOf(session) === 'aal2';
}

export function sessionJson(session: Session, base: string): Record<string, unknown> {
  return {
    id: session.id,
    active: !session.ended,
    expires_at: time(session.expiresAtMs),
    authenticated_at: time(session.authenticatedAtMs),
    authenticator_assurance_level: aalOf(session),
    authentication_methods: session.methods.map(({ method, completedAtMs }) => ({
      method,
      aal: method === 'totp' ? 'aal2' : 'aal1',
      completed_at: time(completedAtMs),
    })),
    issued_at: time(session.issuedAtMs),
    identity: identityJson(session.identity, base),
    devices: session.devices,
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
