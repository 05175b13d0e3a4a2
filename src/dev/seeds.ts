// Who and what is there from the start: three people and one OAuth2 client. No I/O.
import type { Client } from './hydra/clients.ts';
import type { Identities } from './kratos/identities.ts';
import { opaqueToken } from './random.ts';
import type { DevUser } from './state.ts';

/** The same on every start, so that bookmarks, test data and telephones stay good. */
const seeds: readonly (Omit<DevUser, 'name'> & { readonly first: string; readonly last: string })[] = [
  {
    id: '11111111-1111-4111-8111-111111111111',
    first: 'Ada',
    last: 'Lovelace',
    email: 'ada@example.com',
    password: 'ada-123',
  },
  {
    id: '22222222-2222-4222-8222-222222222222',
    first: 'Grace',
    last: 'Hopper',
    email: 'grace@example.com',
    password: 'grace-123',
  },
  {
    id: '33333333-3333-4333-8333-333333333333',
    first: 'Katherine',
    last: 'Johnson',
    email: 'katherine@example.com',
    password: 'katherine-123',
    totpSecret: 'DEVELOPMENTORYSECONDFACTOR234567',
  },
];

export async function seedPeople(identities: Identities): Promise<DevUser[]> {
  const users: DevUser[] = [];
  for (const { first, last, ...user } of seeds) {
    const created = await identities.create({
      ...user,
      traits: { email: user.email, name: { first, last } },
      verified: true,
    });
    if (created.kind === 'created') users.push({ ...user, name: `${first} ${last}` });
  }
  return users;
}

/** For client_credentials; its secret is no secret. */
export function seededClient(audience: readonly string[], nowMs: number): Client {
  return {
    id: 'dev-client',
    secret: 'dev-secret',
    grantTypes: ['client_credentials'],
    responseTypes: [],
    redirectUris: [],
    scopes: ['read', 'write'],
    audience,
    strategy: undefined,
    authMethod: 'any',
    lifespanSeconds: 3_600,
    skipConsent: false,
    metadata: { client_name: 'Development client' },
    createdAtMs: nowMs,
    registrationToken: opaqueToken('ory_at_'),
  };
}
