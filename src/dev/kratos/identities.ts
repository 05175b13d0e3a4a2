// The people of the development Ory: identities with a password, in memory. No I/O.
import { randomBytes, randomUUID, scrypt, timingSafeEqual } from 'node:crypto';

export type State = 'active' | 'inactive';

export interface Identity {
  readonly id: string;
  /** What one logs in with: the email in lower case. */
  identifier: string;
  state: State;
  stateChangedAt: string;
  traits: Readonly<Record<string, unknown>>;
  metadataPublic: unknown;
  metadataAdmin: unknown;
  verified: boolean;
  readonly addressId: string;
  readonly createdAt: string;
  updatedAt: string;
  password: Hash | undefined;
  /** In base32. With one, there is a second factor. */
  totpSecret: string | undefined;
}

interface Hash {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export interface NewIdentity {
  /** Default: a random one. */
  readonly id?: string;
  readonly traits: Readonly<Record<string, unknown>>;
  readonly password?: string;
  readonly verified?: boolean;
  readonly state?: State;
  readonly metadataPublic?: unknown;
  readonly metadataAdmin?: unknown;
  readonly totpSecret?: string;
}

export type Created =
  | { readonly kind: 'created'; readonly identity: Identity }
  | { readonly kind: 'invalid'; readonly reason: string }
  | { readonly kind: 'conflict' };

const maxIdentities = 10_000;

export class Identities {
  readonly #byId = new Map<string, Identity>();
  readonly #byIdentifier = new Map<string, Identity>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async create(given: NewIdentity): Promise<Created> {
    const identifier = identifierOf(given.traits);
    if (identifier === undefined) return { kind: 'invalid', reason: 'traits: missing properties: "email"' };
    if (this.#byId.size >= maxIdentities) {
      return { kind: 'invalid', reason: `The development Ory holds at most ${maxIdentities} identities.` };
    }
    const password = given.password === undefined ? undefined : await hashPassword(given.password);
    if (this.#byIdentifier.has(identifier)) return { kind: 'conflict' };
    const now = this.#now();
    const identity: Identity = {
      id: given.id ?? randomUUID(),
      identifier,
      state: given.state ?? 'active',
      stateChangedAt: now,
      traits: given.traits,
      metadataPublic: given.metadataPublic ?? null,
      metadataAdmin: given.metadataAdmin ?? null,
      verified: given.verified ?? false,
      addressId: randomUUID(),
      createdAt: now,
      updatedAt: now,
      password,
      totpSecret: given.totpSecret,
    };
    this.#byId.set(identity.id, identity);
    this.#byIdentifier.set(identifier, identity);
    return { kind: 'created', identity };
  }

  get(id: string): Identity | undefined {
    return this.#byId.get(id);
  }

  list(): Identity[] {
    return [...this.#byId.values()];
  }

  remove(identity: Identity): void {
    this.#byId.delete(identity.id);
    this.#byIdentifier.delete(identity.identifier);
  }

  setState(identity: Identity, state: State): void {
    identity.state = state;
    identity.stateChangedAt = this.#now();
    this.#touch(identity);
  }

  /** Not where the traits have no email, or one that belongs to somebody else. A new address is not verified. */
  setTraits(identity: Identity, traits: Readonly<Record<string, unknown>>): 'set' | 'no_email' | 'taken' {
    const identifier = identifierOf(traits);
    if (identifier === undefined) return 'no_email';
    const owner = this.#byIdentifier.get(identifier);
    if (owner !== undefined && owner !== identity) return 'taken';
    this.#byIdentifier.delete(identity.identifier);
    this.#byIdentifier.set(identifier, identity);
    if (identifier !== identity.identifier) identity.verified = false;
    identity.identifier = identifier;
    identity.traits = traits;
    this.#touch(identity);
    return 'set';
  }

  async setPassword(identity: Identity, password: string): Promise<void> {
    identity.password = await hashPassword(password);
    this.#touch(identity);
  }

  /** `undefined` takes the second factor away. */
  setTotp(identity: Identity, secret: string | undefined): void {
    identity.totpSecret = secret;
    this.#touch(identity);
  }

  setMetadata(identity: Identity, metadataPublic: unknown, metadataAdmin: unknown): void {
    identity.metadataPublic = metadataPublic ?? null;
    identity.metadataAdmin = metadataAdmin ?? null;
    this.#touch(identity);
  }

  async withPassword(identifier: string, password: string): Promise<Identity | undefined> {
    const identity = this.#byIdentifier.get(identifier.trim().toLowerCase());
    if (!identity?.password) return undefined;
    const given = await derive(password, identity.password.salt);
    return timingSafeEqual(given, identity.password.hash) ? identity : undefined;
  }

  #touch(identity: Identity): void {
    identity.updatedAt = this.#now();
  }

  #now(): string {
    return new Date(this.#clock()).toISOString();
  }
}

function identifierOf(traits: Readonly<Record<string, unknown>>): string | undefined {
  const email = traits['email'];
  return typeof email === 'string' && /^[^@\s]+@[^@\s]+$/.test(email) ? email.toLowerCase() : undefined;
}

async function hashPassword(password: string): Promise<Hash> {
  const salt = randomBytes(16);
  return { salt, hash: await derive(password, salt) };
}

/** A low cost: these passwords are printed on the login page. */
function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, { N: 1024 }, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** The identity as Kratos writes it in a session and, with its credentials' identifiers, in the admin API. */
export function identityJson(identity: Identity, baseUrl: string): Record<string, unknown> {
  const { createdAt, updatedAt } = identity;
  return {
    id: identity.id,
    schema_id: 'person',
    schema_url: `${baseUrl}/schemas/person`,
    state: identity.state,
    state_changed_at: identity.stateChangedAt,
    traits: identity.traits,
    verifiable_addresses: [
      {
        id: identity.addressId,
        value: identity.identifier,
        verified: identity.verified,
        via: 'email',
        status: identity.verified ? 'completed' : 'pending',
        ...(identity.verified ? { verified_at: createdAt } : {}),
        created_at: createdAt,
        updated_at: createdAt,
      },
    ],
    metadata_public: identity.metadataPublic,
    created_at: createdAt,
    updated_at: updatedAt,
    organization_id: null,
  };
}
