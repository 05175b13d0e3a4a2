// What Kratos 1.3 answers to whoami for a person with a password and one device: about 1,150 bytes. No I/O.
import { identityIdOf } from './credentials.ts';

/** The session's id, which a revocation names. */
export function sessionIdOf(person: number): string {
  const hex = person.toString(16).padStart(8, '0');
  return `863e9db8-${hex.slice(0, 4)}-4186-861e-bd52${hex}`;
}

export function whoamiBody(person: number, nowMs: number): string {
  const now = new Date(nowMs).toISOString();
  const end = new Date(nowMs + 86_400_000).toISOString();
  const id = (first: string) => `${first}-${identityIdOf(person).slice(9)}`;
  const hex = person.toString(16).padStart(8, '0');
  const email = `person-${hex}@example.com`;
  return JSON.stringify({
    id: sessionIdOf(person),
    active: true,
    expires_at: end,
    authenticated_at: now,
    authenticator_assurance_level: 'aal1',
    authentication_methods: [{ method: 'password', aal: 'aal1', completed_at: now }],
    issued_at: now,
    identity: {
      id: identityIdOf(person),
      schema_id: 'person',
      schema_url: 'http://127.0.0.1:4433/schemas/cGVyc29u',
      state: 'active',
      state_changed_at: now,
      traits: { email, name: { first: 'Test', last: 'Person' } },
      verifiable_addresses: [
        {
          id: id('1f716dcb'),
          value: email,
          verified: false,
          via: 'email',
          status: 'pending',
          created_at: now,
          updated_at: now,
        },
      ],
      metadata_public: null,
      created_at: now,
      updated_at: now,
      organization_id: null,
    },
    devices: [{ id: id('40cad382'), ip_address: '127.0.0.1:56088', user_agent: 'Mozilla/5.0 (X11)', location: '' }],
  });
}
