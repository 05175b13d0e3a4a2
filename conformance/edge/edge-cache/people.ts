// The people of the generated sequences: their credentials, which end, and when Ory last vouched for each; and the trouble
// that Ory has. Changes what the scripted Ory says.
import { setTimeout as delay } from 'node:timers/promises';
import { claimsOf, sign } from '../attacks/scripted-ory.ts';
import { opaque, type Rig, session } from './rig.ts';
import { credentialKind, KEEPER, type Trouble } from './sequence.ts';

/** Two clocks, each cut to milliseconds. */
const ROUNDING_MS = 5;

interface Person {
  readonly name: string;
  value: string;
  readonly kind: ReturnType<typeof credentialKind>;
  readonly aal: string;
}

export class People {
  readonly #rig: Rig;
  readonly #ttlMs: number;
  readonly #people: Person[] = [];
  /** By credential: when Ory was last asked about it and said yes; and when it ended. */
  readonly #vouchedMs = new Map<string, number>();
  readonly #endedMs = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #kinds = new Map<string, Person['kind']>();
  #trouble: Trouble = 'none';
  #troubledUntilMs = 0;
  #named = 0;

  private constructor(rig: Rig, ttlMs: number) {
    this.#rig = rig;
    this.#ttlMs = ttlMs;
  }

  static async start(rig: Rig, ttlMs: number): Promise<People> {
    const people = new People(rig, ttlMs);
    await people.#begin();
    return people;
  }

  credentialOf(who: number): string {
    return this.#people[who]?.value ?? '';
  }

  /** The credentials that are in this text. */
  credentialsIn(text: string): readonly string[] {
    return [...this.#owners.keys()].filter((value) => text.includes(value));
  }

  /** Whether one of them has ended, at latest `cache.ttl` before. */
  hasEnded(credentials: readonly string[], atMs: number): boolean {
    return credentials.some(
      (value) => atMs <= (this.#endedMs.get(value) ?? Number.NEGATIVE_INFINITY) + this.#ttlMs + ROUNDING_MS,
    );
  }

  isTroubled(atMs: number): boolean {
    return atMs <= this.#troubledUntilMs;
  }

  /** A yes must be somebody's whose credential is in the request, and on whom Ory has vouched within `cache.ttl`. */
  unfounded(answer: string, credentials: readonly string[], fromMs: number): string | undefined {
    const name = /^200 (\S+) /.exec(answer)?.[1];
    if (name === undefined || name === 'nobody') return undefined;
    const own = credentials.filter((value) => this.#owners.get(value) === name);
    if (own.length === 0) return `${name} is nobody in the request`;
    const isFresh = own.some(
      (value) => (this.#vouchedMs.get(value) ?? Number.NEGATIVE_INFINITY) >= fromMs - this.#ttlMs - ROUNDING_MS,
    );
    return isFresh ? undefined : `nobody has vouched for ${name} within cache.ttl`;
  }

  /** Credentials that ended long ago, and that nobody sends any more. */
  forgetOld(): void {
    for (const [value, endedMs] of this.#endedMs) {
      if (Date.now() - endedMs < 10 * this.#ttlMs || this.#people.some((person) => person.value === value)) continue;
      for (const map of [this.#owners, this.#kinds, this.#vouchedMs, this.#endedMs]) map.delete(value);
    }
  }

  async end(who: number): Promise<void> {
    const person = this.#people[who];
    // A JWT does not end before its time.
    if (!person || person.kind === 'jwt') return;
    this.#endedMs.set(person.value, Date.now());
    this.#rig.ory.revoke(person.value);
    this.#rig.ory.opaque.delete(person.value);
    await this.#renew(who);
  }

  setTrouble(trouble: Trouble): void {
    // An answer that was under way then may still come late: the bound of a call to Ory.
    if (this.#trouble !== 'none') this.#troubledUntilMs = Date.now() + 1_000;
    if (trouble !== 'none') this.#troubledUntilMs = Number.POSITIVE_INFINITY;
    this.#trouble = trouble;
  }

  async #begin(): Promise<void> {
    for (let who = 0; who <= KEEPER; who++) {
      const name = who === KEEPER ? 'keeper' : `person-${who}`;
      this.#people.push({ name, value: '', kind: credentialKind(who), aal: who % 2 === 0 ? 'aal1' : 'aal2' });
      await this.#renew(who);
    }
    const { ory } = this.#rig;
    ory.before = async (request, response) => {
      const arrivedMs = Date.now();
      const path = request.url ?? '';
      if (!path.startsWith('/sessions/') && !path.includes('introspect')) return false;
      if (this.#trouble === 'slow') await delay(60);
      if (this.#trouble === 'internal error') {
        response.writeHead(500).end();
        return true;
      }
      if (this.#trouble === 'no answer') {
        response.destroy();
        return true;
      }
      const { cookie = '', 'x-session-token': header } = request.headers;
      this.#vouch(typeof header === 'string' ? header : cookie.slice(cookie.indexOf('=') + 1), 'session', arrivedMs);
      return false;
    };
    const known = ory.opaque.get.bind(ory.opaque);
    ory.opaque.get = (value) => {
      this.#vouch(value, 'opaque', Date.now());
      return known(value);
    };
  }

  #vouch(value: string, kind: Person['kind'], atMs: number): void {
    if (this.#owners.has(value) && this.#kinds.get(value) === kind && !this.#endedMs.has(value))
      this.#vouchedMs.set(value, atMs);
  }

  /** Another credential of the same person. The one before stays in use, half of the time, to see that it is refused. */
  async #renew(who: number): Promise<void> {
    const person = this.#people[who];
    if (!person) return;
    const before = person.value;
    const value = await this.#make(person);
    this.#owners.set(value, person.name);
    this.#kinds.set(value, person.kind);
    const later = (this.#named++ % 4) * 150;
    if (before === '' || later === 0) person.value = value;
    else setTimeout(() => Object.assign(person, { value }), later);
  }

  async #make({ name, kind, aal }: Person): Promise<string> {
    switch (kind) {
      case 'session':
        return session(this.#rig, name, { authenticator_assurance_level: aal });
      case 'opaque':
        return opaque(this.#rig, name);
      case 'jwt': {
        const jwt = await sign(
          this.#rig.ory.es256,
          claimsOf(this.#rig.ory, { sub: name, exp: Math.floor(Date.now() / 1_000) + 86_400 }),
        );
        this.#vouchedMs.set(jwt, Number.POSITIVE_INFINITY);
        return jwt;
      }
    }
  }
}
