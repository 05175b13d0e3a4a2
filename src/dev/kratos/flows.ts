// Flows of login and settings, while a person goes through them. No I/O.
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Identity } from './identities.ts';
import type { Message } from './messages.ts';
import type { Aal } from './sessions.ts';

interface Begun {
  readonly type: 'api' | 'browser';
  readonly requestUrl: string;
  readonly returnTo: string | undefined;
  /** The browser that began it, as `csrf.ts` knows it; none in an API flow. */
  readonly owner: string | undefined;
}

interface Flow extends Begun {
  readonly id: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** What the last attempt left: about the whole form, and about one field of it. */
  messages: readonly Message[];
  fieldMessages: ReadonlyMap<string, Message>;
}

export interface LoginFlow extends Flow {
  readonly kind: 'login';
  readonly aal: Aal;
  readonly refresh: boolean;
  /** Whether it asks for a level that the session did not have when it began. */
  readonly stepsUp: boolean;
  /** To show again after an attempt that failed. */
  identifier: string;
}

export interface SettingsFlow extends Flow {
  readonly kind: 'settings';
  readonly identity: Identity;
  /** What the authenticator app is to be given; another one after each success. */
  totpSecret: string;
  saved: boolean;
}

const maxFlows = 1_000;
const lifespanMs = 60 * 60 * 1000;

export class Flows {
  readonly #byId = new LRUCache<string, LoginFlow | SettingsFlow>({ max: maxFlows });
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  beginLogin(begun: Begun, asked: Pick<LoginFlow, 'aal' | 'refresh' | 'stepsUp'>): LoginFlow {
    const flow: LoginFlow = { ...this.#begin(begun), kind: 'login', ...asked, identifier: '' };
    this.#byId.set(flow.id, flow);
    return flow;
  }

  beginSettings(begun: Begun, identity: Identity, totpSecret: string): SettingsFlow {
    const flow: SettingsFlow = { ...this.#begin(begun), kind: 'settings', identity, totpSecret, saved: false };
    this.#byId.set(flow.id, flow);
    return flow;
  }

  login(id: string): LoginFlow | undefined {
    const flow = this.#living(id);
    return flow?.kind === 'login' ? flow : undefined;
  }

  settings(id: string): SettingsFlow | undefined {
    const flow = this.#living(id);
    return flow?.kind === 'settings' ? flow : undefined;
  }

  #begin(begun: Begun): Flow {
    const issuedAtMs = this.#clock();
    const times = { issuedAtMs, expiresAtMs: issuedAtMs + lifespanMs };
    return { id: randomUUID(), ...begun, ...times, messages: [], fieldMessages: new Map() };
  }

  #living(id: string): LoginFlow | SettingsFlow | undefined {
    const flow = this.#byId.get(id);
    return flow && flow.expiresAtMs > this.#clock() ? flow : undefined;
  }
}

/** What the JSON of both kinds begins with. */
export function flowHead(flow: LoginFlow | SettingsFlow): Record<string, unknown> {
  const issuedAt = new Date(flow.issuedAtMs).toISOString();
  return {
    id: flow.id,
    ...(flow.kind === 'login' ? { organization_id: null } : {}),
    type: flow.type,
    expires_at: new Date(flow.expiresAtMs).toISOString(),
    issued_at: issuedAt,
    request_url: flow.requestUrl,
    ...(flow.returnTo === undefined ? {} : { return_to: flow.returnTo }),
  };
}

export function flowAction(flow: LoginFlow | SettingsFlow, base: string): string {
  return `${base}/self-service/${flow.kind}?flow=${flow.id}`;
}
