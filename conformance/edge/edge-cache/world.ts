// Two edges, with the edge cache and without it, the people who ask them and the applications behind: plays a round to both,
// and says what must not be. Runs programs, opens ports.
import { setTimeout as delay } from 'node:timers/promises';
import type { Transport } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import { type Applications, MARK, startApplications } from './applications.ts';
import { type Json, routesOf, type Variant } from './bootstrap.ts';
import { Clients } from './clients.ts';
import { People } from './people.ts';
import { type Counts, type Rig, startRig } from './rig.ts';
import { FORMS, type Form, formOf, KEEPER, linesOf, OPENING, type RequestStep, type Round } from './sequence.ts';

const TTL_MS = 2_000;
const EDGE_TTL_MS = 1_200;
const CONNECTIONS = 8;
/** Longer than a yes is remembered, now and then. */
const SLOW_MS = [0, 20, 0, 100, 0, 0, 20, EDGE_TTL_MS + 50];
const AT_ONCE = 6;

export interface Tally {
  requests: number;
  /** Of the edge with the cache, by what came of them. */
  readonly outcomes: Map<string, number>;
  /** By why they may be. */
  readonly allowed: Map<string, number>;
}

/** Of the edge with the cache. */
interface FormCounts {
  asked: number;
  /** Let in as somebody. */
  yeses: number;
  /** Answered from memory, as the access log has it. */
  hits: number;
}

export type Forms = Readonly<Record<Form, FormCounts>>;

export interface WorldOptions {
  readonly transport: Transport;
  /** A last hand on the script. */
  readonly script?: (source: string) => string;
}

/** What a request met, in the same process's time. */
interface Met {
  readonly fromMs: number;
  readonly edge: string;
  readonly plain: string;
}

export class World {
  readonly #rig: Rig;
  readonly #transport: Transport;
  readonly #clients: readonly [Clients, Clients];
  readonly #people: People;
  readonly #applications: Applications;
  readonly #forms: Forms;
  #marks = 0;

  private constructor(rig: Rig, transport: Transport, people: People, applications: Applications) {
    this.#rig = rig;
    this.#transport = transport;
    this.#people = people;
    this.#applications = applications;
    this.#clients = [new Clients(rig.url('edge'), CONNECTIONS), new Clients(rig.url('plain'), CONNECTIONS)];
    this.#forms = Object.fromEntries(FORMS.map((form) => [form, { asked: 0, yeses: 0, hits: 0 }])) as unknown as Forms;
  }

  static async start({ transport, script }: WorldOptions): Promise<World> {
    const applications = await startApplications(SLOW_MS);
    const rig = await startRig({
      transport,
      concurrency: 2,
      variants: [
        { name: 'edge', manager: retriedAndMirrored, ...(script ? { script } : {}) },
        { name: 'plain', manager: retriedAndMirrored, edgeCache: false },
      ],
      upstreams: applications.upstreams,
      change: {
        cache: { ttl: `${TTL_MS}ms`, edge_ttl: `${EDGE_TTL_MS}ms`, negative_ttl: '0s', stale_if_error: '0s' },
        rules: RULES,
      },
    });
    return new World(rig, transport, await People.start(rig, TTL_MS), applications);
  }

  async close(): Promise<void> {
    for (const one of this.#clients) one.close();
    await this.#rig.close();
    await this.#applications.close();
  }

  counts(): Promise<Counts> {
    return this.#rig.counts();
  }

  /** Once nothing is asked any more. */
  async forms(): Promise<Forms> {
    const { hits } = await this.#rig.counts();
    const remembered = () => this.#rig.accessLog.filter((line) => line['decided_by'] === 'edge-cache');
    await until('the log has each hit', () => remembered().length >= hits);
    for (const { path } of remembered()) this.#forms[formOf(String(path))].hits++;
    return this.#forms;
  }

  /** A little of each form, of which something is remembered for certain, and again when it has ended. What must not be. */
  async open(tally: Tally): Promise<string[]> {
    const wrong: string[] = [];
    this.#people.setTrouble('none');
    for (const step of OPENING) {
      const { edge } = await this.#one(step, tally, false, wrong);
      if (step.form !== 'connect' && !edge.startsWith('200 keeper ')) wrong.push(`${step.form} is refused: ${edge}`);
    }
    if (wrong.length > 0) return wrong;
    const ended = this.#people.credentialOf(KEEPER);
    await this.#people.end(KEEPER);
    await delay(TTL_MS + EDGE_TTL_MS / 4);
    for (const step of OPENING) await this.#one(step, tally, false, wrong, () => ended);
    return wrong;
  }

  /** What must not be; `away`: without an authorizer. */
  async play(round: Round, tally: Tally, away: boolean): Promise<string[]> {
    this.#rig.ory.asked.length = 0;
    this.#people.forgetOld();
    if (away) await this.#rig.stopAuthorizer();
    const wrong: string[] = [];
    const waiting = round.flatMap((step) => (step.kind === 'request' ? [step] : [])).values();
    const worker = async () => {
      for (const step of waiting) await this.#one(step, tally, away, wrong);
    };
    const asked = Promise.all(Array.from({ length: AT_ONCE }, worker));
    for (const step of round) {
      if (step.kind === 'end') await this.#people.end(step.who);
      else if (step.kind === 'trouble') this.#people.setTrouble(step.trouble);
      else if (step.kind === 'pause') await delay(step.ms);
    }
    await asked;
    for (const [, copy] of this.#applications.copies) wrong.push(`the mirror saw what nobody was let in for: ${copy}`);
    if (away) await this.#returned();
    return wrong;
  }

  async #returned(): Promise<void> {
    await this.#rig.startAuthorizer();
    for (const variant of ['edge', 'plain'])
      await until('the authorizer is asked again', async () => {
        const answer = await this.#rig.ask('/second/none', [], { variant });
        return answer === '401 credential_missing';
      });
  }

  async #one(
    step: RequestStep,
    tally: Tally,
    away: boolean,
    wrong: string[],
    credentialOf = (who: number) => this.#people.credentialOf(who),
  ): Promise<Met> {
    const lines = linesOf(step, credentialOf);
    const fromMs = Date.now();
    const ask = async (clients: Clients) => {
      const mark = `m${this.#marks++}`;
      const answer = await clients.ask({ ...step, lines: [...lines, [MARK, mark]] });
      return step.form === 'mirrored' && isYes(answer) ? this.#copied(answer, mark) : answer;
    };
    const [edge, plain] = await Promise.all(this.#clients.map(ask));
    const met: Met = { fromMs, edge: edge ?? '', plain: plain ?? '' };
    tally.requests++;
    this.#forms[step.form].asked++;
    if (/^200 (?!nobody )/.test(met.edge)) this.#forms[step.form].yeses++;
    count(tally.outcomes, shortened(met.edge));
    const text = JSON.stringify(lines);
    const why = this.#judge(step, met, text, away, tally);
    if (why !== undefined)
      wrong.push(
        `${this.#transport}, ${why}: ${step.form}, ${step.protocol} ${step.method} ${step.path} ${text}: ${JSON.stringify(met)}`,
      );
    return met;
  }

  /** The copy must be of the request as the application had it. */
  async #copied(answer: string, mark: string): Promise<string> {
    const copy = await this.#applications.copyOf(mark);
    return answer.endsWith(` ${copy}`) ? `${answer} mirrored` : `${answer} mirrored as ${copy}`;
  }

  /** Undefined where it is as it must be. */
  #judge({ form }: RequestStep, { fromMs, edge, plain }: Met, text: string, away: boolean, tally: Tally) {
    const credentials = this.#people.credentialsIn(text);
    for (const answer of [edge, plain]) {
      const unfounded = this.#people.unfounded(answer, credentials, fromMs);
      if (unfounded !== undefined) return unfounded;
      if (isYes(answer) && !ENDS[form].test(answer)) return `a yes is not as that of a ${form} request must be`;
    }
    if (edge === plain) return undefined;
    // The yes of one and the no of the other rest on words of Ory before and after the end.
    if (this.#people.hasEnded(credentials, fromMs)) return allow(tally, 'a credential ended within cache.ttl');
    const isOutage = (answer: string) => answer.startsWith('503 ory_');
    if (this.#people.isTroubled(fromMs) && (isOutage(edge) || isOutage(plain)))
      return allow(tally, 'Ory did not answer one of the two');
    if (away && isYes(edge) && plain === '503 authorizer_unreachable')
      return allow(tally, 'the authorizer is away, and the yes is remembered');
    return 'the two differ';
  }
}

/** What was let in must also have come to its end. */
const ENDS: Readonly<Record<Form, RegExp>> = {
  plain: /\]\}$/,
  websocket: /\]\} websocket ping$/,
  grpc: /\]\} grpc (?:0 onetwo|5 )$/,
  retried: /\],"tries":2\}$/,
  mirrored: /\]\} mirrored$/,
  // Nothing lets one in.
  connect: /^$/,
};

const ANY_SESSION = { session: {} };
const EITHER = { any_of: [ANY_SESSION, { token: {} }] };
const AAL2 = { session: { aal: 'aal2' } };

const RULES: readonly Json[] = [
  { name: 'public', match: { path: '/public/**' }, upstream: 'app', allow: 'anyone' },
  { name: 'home', match: { path: '/home' }, upstream: 'app', allow: 'anyone', identify: true },
  { name: 'admin', match: { path: '/admin/**' }, upstream: 'app', require: ANY_SESSION },
  { name: 'web', match: { path: '/web/**' }, upstream: 'app', require: ANY_SESSION },
  { name: 'slow', match: { path: '/slow/**' }, upstream: 'app', require: ANY_SESSION },
  { name: 'second', match: { path: '/second/**' }, upstream: 'app', require: AAL2 },
  { name: 'recent', match: { path: '/recent/**' }, upstream: 'app', require: { session: { max_age: '1h' } } },
  { name: 'api', match: { path: '/api/**' }, upstream: 'app', require: { token: {} } },
  {
    name: 'other',
    match: { path: '/other/**' },
    upstream: 'app',
    require: { token: { audiences: ['https://other.test'] } },
  },
  { name: 'mixed', match: { path: '/mixed/**' }, upstream: 'app', require: EITHER },
  { name: 'turned', match: { path: '/turned/**' }, upstream: 'app', require: { any_of: [{ token: {} }, AAL2] } },
  { name: 'calls', match: { path: '/echo.Echo/**' }, upstream: 'grpc', require: EITHER },
  { name: 'retried', match: { path: '/retried/**' }, upstream: 'app', require: EITHER },
  { name: 'mirrored', match: { path: '/mirrored/**' }, upstream: 'app', require: EITHER },
];

/** What a file cannot say yet, and an operator may add to the generated routes. */
const retriedAndMirrored: NonNullable<Variant['manager']> = (manager) => {
  for (const { name, route } of routesOf(manager)) {
    if (name === 'retried')
      Object.assign(route as Json, {
        retry_policy: { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '0.005s' } },
      });
    if (name === 'mirrored')
      Object.assign(route as Json, { request_mirror_policies: [{ cluster: 'upstream-mirror' }] });
  }
};

function isYes(answer: string): boolean {
  return answer.startsWith('200 ');
}

function shortened(answer: string): string {
  if (!isYes(answer)) return answer;
  return answer.startsWith('200 nobody ') ? '200 nobody' : '200 somebody';
}

function allow(tally: Tally, why: string): undefined {
  count(tally.allowed, why);
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
