// What the routes of one development Ory share. No I/O.
import type { Clients } from './clients.ts';
import type { Flows } from './flows.ts';
import type { Identities } from './identities.ts';
import type { Keys } from './keys.ts';
import type { Sessions } from './sessions.ts';
import type { Tokens } from './tokens.ts';

/** A seeded user; the password is no secret. */
export interface DevUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

export interface State {
  /** Where the development Ory answers, without a slash at the end. */
  readonly url: string;
  readonly issuer: string;
  readonly clock: () => number;
  readonly csrfCookie: string;
  readonly people: readonly DevUser[];
  readonly identities: Identities;
  readonly sessions: Sessions;
  readonly flows: Flows;
  readonly keys: Keys;
  readonly clients: Clients;
  readonly tokens: Tokens;
}
