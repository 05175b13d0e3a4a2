// Generated sequences to an edge with the edge cache and to one without, at the same moment: the same verdicts and
// identities, but for what `cache.ttl` allows of a credential that has ended, or of an Ory that does not answer. And no
// yes, of either, that rests on a word of Ory older than `cache.ttl`. Runs programs, opens ports.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { TRANSPORTS, type Transport } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import { claimsOf, sign } from '../attacks/scripted-ory.ts';
import { Clients } from './clients.ts';
import { type Counts, opaque, type Rig, session, startRig } from './rig.ts';
import { linesOf, PEOPLE, type RequestStep, type Round, rounds, SESSIONS, type Trouble } from './sequence.ts';

const TTL_MS = 2_000;
const EDGE_TTL_MS = 1_200;
/** Two clocks, each cut to milliseconds. */
const ROUNDING_MS = 5;
const ROUNDS_PER_SAMPLE = 40;
const CONNECTIONS = 8;
const SLOW_MS = [0, 20, 0, 100, 0, 0, 20, EDGE_TTL_MS + 50];
const AT_ONCE = 6;

export interface EdgeCacheRun {
  readonly requests: number;
  readonly counts: Readonly<Record<Transport, Counts>>;
  /** Of the edge with the cache, by what came of them. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** By why they may be. */
  readonly allowed: ReadonlyMap<string, number>;
  /** Empty where everything is as it must be. */
  readonly differences: readonly string[];
  readonly seconds: number;
}

export interface EdgeCacheRunOptions {
  readonly seed: number;
  readonly requests: number;
  readonly onProgress?: (requests: number, seconds: number) => void;
}

export async function runEdgeCache({ seed, requests, onProgress }: EdgeCacheRunOptions): Promise<EdgeCacheRun> {
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1_000;
  const tally = { requests: 0, outcomes: new Map<string, number>(), allowed: new Map<string, number>() };
  const differences: string[] = [];
  const counts = {} as Record<Transport, Counts>;
  for (const transport of TRANSPORTS) {
    const world = await World.start(transport);
    try {
      // Of its own: one sample may be larger than the share of both.
      const end = tally.requests + Math.ceil(requests / TRANSPORTS.length);
      for (let sample = seed; tally.requests < end && differences.length === 0; sample++) {
        const all = fc.sample(rounds, { seed: sample, numRuns: ROUNDS_PER_SAMPLE, unbiased: true });
        for (const [n, round] of all.entries()) {
          // With the authorizer away now and then, for one round.
          differences.push(...(await world.play(round, tally, n === ROUNDS_PER_SAMPLE - 1)));
          if (differences.length > 0) break;
        }
        onProgress?.(tally.requests, seconds());
      }
      counts[transport] = await world.rig.counts();
    } finally {
      await world.close();
    }
    if (differences.length > 0) break;
  }
  return { ...tally, counts, differences, seconds: seconds() };
}

interface Tally {
  requests: number;
  readonly outcomes: Map<string, number>;
  readonly allowed: Map<string, number>;
}

interface Person {
  readonly name: string;
  value: string;
  readonly kind: 'session' | 'opaque' | 'jwt';
  readonly aal: string;
}

/** What a request met, in the same process's time. */
interface Met {
  readonly fromMs: number;
  readonly toMs: number;
  readonly edge: string;
  readonly plain: string;
}

class World {
  readonly rig: Rig;
  readonly #transport: Transport;
  readonly #clients: readonly [Clients, Clients];
  readonly #people: Person[] = [];
  readonly #slow: ReturnType<typeof createServer>;
  /** By credential: when Ory was last asked about it and said yes; and when it ended. */
  readonly #vouchedMs = new Map<string, number>();
  readonly #endedMs = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #kinds = new Map<string, Person['kind']>();
  #trouble: Trouble = 'none';
  #troubledUntilMs = 0;
  #named = 0;

  private constructor(rig: Rig, transport: Transport, slow: ReturnType<typeof createServer>) {
    this.rig = rig;
    this.#transport = transport;
    this.#slow = slow;
    this.#clients = [new Clients(rig.url('edge'), CONNECTIONS), new Clients(rig.url('plain'), CONNECTIONS)];
  }

  static async start(transport: Transport): Promise<World> {
    // An application that takes its time: longer than a yes is remembered, now and then.
    let n = 0;
    const slow = createServer((request, response) => {
      const lines = Object.entries(request.headers);
      const ms = SLOW_MS[n++ % SLOW_MS.length];
      setTimeout(() => response.end(JSON.stringify({ headers: lines, url: request.url })), ms);
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const anySession = { session: {} };
    const rig = await startRig({
      transport,
      concurrency: 2,
      upstreams: { slow: `http://127.0.0.1:${(slow.address() as AddressInfo).port}` },
      change: {
        cache: { ttl: `${TTL_MS}ms`, edge_ttl: `${EDGE_TTL_MS}ms`, negative_ttl: '0s', stale_if_error: '0s' },
        rules: [
          { name: 'public', match: { path: '/public/**' }, upstream: 'app', allow: 'anyone' },
          { name: 'home', match: { path: '/home' }, upstream: 'app', allow: 'anyone', identify: true },
          { name: 'admin', match: { path: '/admin/**' }, upstream: 'app', require: anySession },
          { name: 'web', match: { path: '/web/**' }, upstream: 'app', require: anySession },
          { name: 'slow', match: { path: '/slow/**' }, upstream: 'slow', require: anySession },
          { name: 'second', match: { path: '/second/**' }, upstream: 'app', require: { session: { aal: 'aal2' } } },
          { name: 'recent', match: { path: '/recent/**' }, upstream: 'app', require: { session: { max_age: '1h' } } },
          { name: 'api', match: { path: '/api/**' }, upstream: 'app', require: { token: {} } },
          {
            name: 'other',
            match: { path: '/other/**' },
            upstream: 'app',
            require: { token: { audiences: ['https://other.test'] } },
          },
          {
            name: 'mixed',
            match: { path: '/mixed/**' },
            upstream: 'app',
            require: { any_of: [anySession, { token: {} }] },
          },
          {
            name: 'turned',
            match: { path: '/turned/**' },
            upstream: 'app',
            require: { any_of: [{ token: {} }, { session: { aal: 'aal2' } }] },
          },
        ],
      },
    });
    const world = new World(rig, transport, slow);
    await world.#begin();
    return world;
  }

  async close(): Promise<void> {
    for (const one of this.#clients) one.close();
    await this.rig.close();
    this.#slow.closeAllConnections();
    this.#slow.close();
  }

  /** What must not be; `away`: without an authorizer. */
  async play(round: Round, tally: Tally, away: boolean): Promise<string[]> {
    this.rig.ory.asked.length = 0;
    this.#forgetOld();
    if (away) await this.rig.stopAuthorizer();
    const wrong: string[] = [];
    const requests = round.flatMap((step) => (step.kind === 'request' ? [step] : []));
    const waiting = requests.values();
    const one = async (step: RequestStep) => {
      const lines = linesOf(step, (who) => this.#people[who]?.value ?? '');
      const met = await this.#ask(step, lines);
      tally.requests++;
      count(
        tally.outcomes,
        met.edge.replace(/^200 \S+ .*/, (yes) => (yes.includes(' nobody ') ? '200 nobody' : '200 somebody')),
      );
      const text = JSON.stringify(lines);
      const why = this.#judge(met, text, away, tally);
      if (why !== undefined)
        wrong.push(
          `${this.#transport}, ${why}: ${step.protocol} ${step.method} ${step.path} ${text}: ${JSON.stringify(met)}`,
        );
    };
    const worker = async () => {
      for (const step of waiting) await one(step);
    };
    const asked = Promise.all(Array.from({ length: AT_ONCE }, worker));
    for (const step of round) {
      if (step.kind === 'end') await this.#end(step.who);
      else if (step.kind === 'trouble') this.#setTrouble(step.trouble);
      else if (step.kind === 'pause') await delay(step.ms);
    }
    await asked;
    if (away) {
      await this.rig.startAuthorizer();
      for (const variant of ['edge', 'plain'])
        await until('the authorizer is asked again', async () => {
          const answer = await this.rig.ask('/second/none', [], { variant });
          return answer === '401 credential_missing';
        });
    }
    return wrong;
  }

  /** Credentials that ended long ago, and that nobody sends any more. */
  #forgetOld(): void {
    for (const [value, endedMs] of this.#endedMs) {
      if (Date.now() - endedMs < 10 * TTL_MS || this.#people.some((person) => person.value === value)) continue;
      for (const map of [this.#owners, this.#kinds, this.#vouchedMs, this.#endedMs]) map.delete(value);
    }
  }

  async #ask(step: RequestStep, lines: readonly (readonly [string, string])[]): Promise<Met> {
    const fromMs = Date.now();
    const request = { protocol: step.protocol, method: step.method, path: step.path, lines };
    const [edge, plain] = await Promise.all([this.#clients[0].ask(request), this.#clients[1].ask(request)]);
    return { fromMs, toMs: Date.now(), edge, plain };
  }

  /** Undefined where it is as it must be. */
  #judge(met: Met, text: string, away: boolean, tally: Tally): string | undefined {
    const credentials = [...this.#owners.keys()].filter((value) => text.includes(value));
    for (const answer of [met.edge, met.plain]) {
      const unfounded = this.#unfounded(answer, credentials, met);
      if (unfounded !== undefined) return unfounded;
    }
    if (met.edge === met.plain) return undefined;
    const isYes = (answer: string) => answer.startsWith('200 ');
    const ended = credentials.some(
      (value) => met.fromMs <= (this.#endedMs.get(value) ?? Number.NEGATIVE_INFINITY) + TTL_MS + ROUNDING_MS,
    );
    // The yes of one and the no of the other rest on words of Ory before and after the end.
    if (ended) return allow(tally, 'a credential ended within cache.ttl');
    const troubled = met.fromMs <= this.#troubledUntilMs;
    const isOutage = (answer: string) => answer.startsWith('503 ory_');
    if (troubled && (isOutage(met.edge) || isOutage(met.plain)))
      return allow(tally, 'Ory did not answer one of the two');
    if (away && isYes(met.edge) && met.plain === '503 authorizer_unreachable')
      return allow(tally, 'the authorizer is away, and the yes is remembered');
    return 'the two differ';
  }

  /** A yes must be somebody's whose credential is in the request, and on whom Ory has vouched within `cache.ttl`. */
  #unfounded(answer: string, credentials: readonly string[], { fromMs }: Met): string | undefined {
    const name = /^200 (\S+) /.exec(answer)?.[1];
    if (name === undefined || name === 'nobody') return undefined;
    const own = credentials.filter((value) => this.#owners.get(value) === name);
    if (own.length === 0) return `${name} is nobody in the request`;
    const isFresh = own.some(
      (value) => (this.#vouchedMs.get(value) ?? Number.NEGATIVE_INFINITY) >= fromMs - TTL_MS - ROUNDING_MS,
    );
    return isFresh ? undefined : `nobody has vouched for ${name} within cache.ttl`;
  }

  async #begin(): Promise<void> {
    for (let who = 0; who < PEOPLE; who++) {
      const kind = who < SESSIONS ? 'session' : who < 12 ? 'opaque' : 'jwt';
      this.#people.push({ name: `person-${who}`, value: '', kind, aal: who % 2 === 0 ? 'aal1' : 'aal2' });
      await this.#renew(who);
    }
    const { ory } = this.rig;
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

  async #end(who: number): Promise<void> {
    const person = this.#people[who];
    // A JWT does not end before its time.
    if (!person || person.kind === 'jwt') return;
    this.#endedMs.set(person.value, Date.now());
    this.rig.ory.revoke(person.value);
    this.rig.ory.opaque.delete(person.value);
    await this.#renew(who);
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
        return session(this.rig, name, { authenticator_assurance_level: aal });
      case 'opaque':
        return opaque(this.rig, name);
      case 'jwt': {
        const jwt = await sign(
          this.rig.ory.es256,
          claimsOf(this.rig.ory, { sub: name, exp: Math.floor(Date.now() / 1_000) + 86_400 }),
        );
        this.#vouchedMs.set(jwt, Number.POSITIVE_INFINITY);
        return jwt;
      }
    }
  }

  #setTrouble(trouble: Trouble): void {
    // An answer that was under way then may still come late: the bound of a call to Ory.
    if (this.#trouble !== 'none') this.#troubledUntilMs = Date.now() + 1_000;
    if (trouble !== 'none') this.#troubledUntilMs = Number.POSITIVE_INFINITY;
    this.#trouble = trouble;
  }
}

function allow(tally: Tally, why: string): undefined {
  count(tally.allowed, why);
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export function reportEdgeCache({ requests, counts, outcomes, allowed, differences, seconds }: EdgeCacheRun): string {
  const sorted = (map: ReadonlyMap<string, number>) =>
    [...map].sort(([, a], [, b]) => b - a).map(([name, n]) => `  ${name}: ${n}`);
  return [
    `${requests} requests, each with and without the edge cache, in ${seconds.toFixed(0)} s`,
    '',
    ...Object.entries(counts).map(
      ([transport, { hits, misses, stores, asked }]) =>
        `Over ${transport}: ${hits} hits, ${misses} misses, ${stores} stored, ${asked} checks`,
    ),
    'What came of them:',
    ...sorted(outcomes),
    'Different, as cache.ttl allows:',
    ...(allowed.size === 0 ? ['  never'] : sorted(allowed)),
    '',
    ...(differences.length === 0 ? ['No difference.'] : ['DIFFERENCES:', ...differences]),
  ].join('\n');
}
