// What the routes of one development Ory share. No I/O.
import type { LRUCache } from 'lru-cache';
import type { PendingConsent } from './hydra/authorization-request.ts';
import type { Clients } from './hydra/clients.ts';
import type { Grants } from './hydra/grants.ts';
import type { Issuer } from './hydra/issue.ts';
import type { Keys } from './hydra/keys.ts';
import type { Flows } from './kratos/flows.ts';
import type { Identities } from './kratos/identities.ts';
import type { RequiredAal, Sessions } from './kratos/sessions.ts';
import type { Made } from './made.ts';

/** A seeded user; neither the password nor the secret of the authenticator app is one. */
export interface DevUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly password: string;
  /** In base32; only of who has a second factor. */
  readonly totpSecret?: string;
}

export interface State {
  /** Where the development Ory answers, without a slash at the end; `baseUrl` says what it writes into answers. */
  readonly url: string;
  readonly issuer: string;
  readonly clock: () => number;
  readonly csrfCookie: string;
  readonly cookieDomain: string | undefined;
  readonly requiredAal: RequiredAal;
  readonly people: readonly DevUser[];
  readonly identities: Identities;
  readonly sessions: Sessions;
  readonly made: Made;
  readonly flows: Flows;
  readonly keys: Keys;
  readonly clients: Clients;
  readonly grants: Grants;
  readonly issuing: Issuer;
  /** By the number that the page's form carries. */
  readonly consents: LRUCache<string, PendingConsent>;
  readonly dynamicRegistration: boolean;
}
