// What one decision costs in a process of its own: with ten rules up to ten thousand, with a thousand remembered sessions
// up to a million and what those hold of memory, and what a token costs that is not remembered. Everything is measured in
// turn, many times, so that whatever else the machine does hits all alike. Prints its result as JSON. `--quick`: less.
import { type Check, createCheck } from '../../src/check/check.ts';
import { IdentityCache } from '../../src/check/identity/cache/memory.ts';
import type { Identity, Verifier } from '../../src/check/identity/identity.ts';
import { createKeep } from '../../src/check/identity/kept.ts';
import { createKratosVerifier } from '../../src/check/identity/kratos.ts';
import { ThrottledLog } from '../../src/check/log.ts';
import type { CheckRequest } from '../../src/check/request/check-request.ts';
import { sessionPaths } from '../../src/check/response/identity-headers.ts';
import { hydraClaims, IssuerRig, makeKey, sign } from '../../src/check/testing/issuer.ts';
import { RecordingLog } from '../../src/check/testing/recording-log.ts';
import { request } from '../../src/check/testing/request.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { DecisionResult, DecisionRow, SessionsRow } from '../report/results.ts';
import { rounded } from '../report/statistics.ts';
import { COOKIE, cookieOf, personOf } from '../stand-in/credentials.ts';
import { whoamiBody } from '../stand-in/whoami.ts';

const QUICK = process.argv.includes('--quick');
const FEWEST = 10;
const RULES = [FEWEST, 100, 1_000, 10_000];
const FEWEST_SESSIONS = 1_000;
const SESSIONS = QUICK ? [FEWEST_SESSIONS, 10_000] : [FEWEST_SESSIONS, 10_000, 100_000, 1_000_000];
const ROUNDS = QUICK ? 101 : 1_001;
const REQUESTS = 2_000;
/** Less than a millisecond: a round that the system interrupts is then an exception, and the median is without it. */
const CHECKS = 100;
const COLD_TOKENS = 40;
const COLD_CHECKS = 2;
const SEED = 20_261_124;

type Credential = 'session' | 'JWT';

/** One thing that is measured: `run` makes `checks` decisions, others in each round. */
interface Subject {
  readonly checks: number;
  readonly run: (round: number) => Promise<void>;
  /** Microseconds for one decision, one for each round. */
  readonly samples: number[];
}

/** Rules as a company has them: a few hosts, a path of its own for each, methods, one star, and the rest. */
function policy(count: number): string {
  const rules = Array.from({ length: count }, (_, i) => {
    const access = i % 2 === 0 ? 'require: { session: {} }' : 'require: { token: { scopes: [read] } }';
    return `  - { name: rule-${i}, match: { host: ${hostOf(i)}, path: "/tenants/*/service-${i}/**", methods: [GET, POST] }, ${access} }`;
  });
  return `ory: { url: https://issuer.example }
tokens: { audiences: [https://api.example] }
edge: { upstream: http://127.0.0.1:3000 }
rules:
${rules.join('\n')}
`;
}

function hostOf(rule: number): string {
  return `api-${rule % 5}.acme.example`;
}

/** Requests for rules all over the file, of those that take this credential. */
function requests(count: number, credential: Credential, value: string): CheckRequest[] {
  const random = randomFrom(SEED);
  return Array.from({ length: REQUESTS }, () => {
    const rule = 2 * Math.floor((random() * count) / 2) + (credential === 'session' ? 0 : 1);
    return request({
      host: hostOf(rule),
      path: `/tenants/t-${Math.floor(random() * 1_000)}/service-${rule}/orders/1`,
      ...(credential === 'session'
        ? { cookie: [`ory_kratos_session=${value}`] }
        : { authorization: [`Bearer ${value}`] }),
    });
  });
}

/** Park and Miller's. */
function randomFrom(seed: number): () => number {
  let state = seed % 2_147_483_647;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function remembering(identity: Identity): Verifier {
  return {
    verify: async () => ({ kind: 'verified', identity, cacheForMs: undefined, setCookie: [] }),
    stillTrusted: () => true,
  };
}

const issuer = new IssuerRig();
const key = await makeKey('RS256', 'k');
issuer.publish([key.jwk]);
const claims = hydraClaims(issuer.clock);
const token = await sign(key, claims);

/** A cache that remembers nothing yet. */
function emptyCache(ttlMs = 60_000, maxEntries = 10_000): IdentityCache {
  return new IdentityCache({
    ttlMs,
    negativeTtlMs: 1_000,
    staleIfErrorMs: 0,
    maxEntries,
    clock: issuer.clock.read,
  });
}

/** The whole check; `verifier` for tokens and sessions alike. */
function checkWith(config: Config, verifier: Verifier, cache: IdentityCache): Check {
  return createCheck({
    config,
    cache,
    verifiers: { session: verifier, token: verifier },
    clock: issuer.clock.read,
    log: new RecordingLog(),
  });
}

const configOf = (count: number) => parseConfig(policy(count), 'bench.yaml', { env: {} });

async function allowed(check: Check, all: readonly CheckRequest[]): Promise<void> {
  for (const one of all) {
    const verdict = await check(one);
    if (verdict.kind !== 'allow') throw new Error(`the bench is wrong: ${verdict.reason}`);
  }
}

function remembered(count: number, credential: Credential): Subject {
  const identity: Identity =
    credential === 'session'
      ? { kind: 'session', session: { id: 's', active: true }, expiresAtMs: undefined }
      : {
          kind: 'token',
          proof: 'key',
          claims: { sub: 'user', scp: ['read'] },
          audiences: ['https://api.example'],
          expiresAtMs: issuer.clock.now + 3_600_000,
          key: { kid: 'k', material: 'm' },
        };
  const check = checkWith(configOf(count), remembering(identity), emptyCache());
  const all = requests(count, credential, credential === 'session' ? 'MTY-abc' : token);
  return { checks: CHECKS, run: (round) => allowed(check, part(all, CHECKS, round)), samples: [] };
}

/** Tokens that the cache has never seen, verified for real: keys, signature, claims. */
async function unseen(count: number): Promise<Subject> {
  const tokens = await Promise.all(
    Array.from({ length: COLD_TOKENS }, (_, i) => sign(key, { ...claims, jti: String(i) })),
  );
  const all = tokens.flatMap((one) => requests(count, 'JWT', one).slice(0, 1));
  const config = configOf(count);
  // Nothing is remembered.
  const check = checkWith(config, issuer.verifier(), emptyCache(0));
  return {
    checks: COLD_CHECKS,
    run: (round) => allowed(check, part(all, COLD_CHECKS, round)),
    samples: [],
  };
}

function part<T>(all: readonly T[], length: number, round: number): readonly T[] {
  const from = (round * length) % all.length;
  return all.slice(from, from + length);
}

async function measure(subjects: readonly Subject[]): Promise<void> {
  for (const { run } of subjects) for (let i = 0; i < 200; i++) await run(i);
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < subjects.length; i++) {
      // Each begins as often as every other.
      const subject = subjects[(round + i) % subjects.length];
      if (!subject) continue;
      const started = process.hrtime.bigint();
      await subject.run(round);
      subject.samples.push(Number(process.hrtime.bigint() - started) / 1_000 / subject.checks);
    }
  }
}

function quantile(samples: readonly number[], at: number): number {
  return [...samples].sort((a, b) => a - b)[Math.floor((samples.length - 1) * at)] ?? Number.NaN;
}

/** Decisions on remembered sessions of different people, each by a cookie of its own, and the memory that they hold. */
async function sessions(count: number): Promise<{ readonly subject: Subject; readonly heapBytes: number }> {
  const clock = () => issuer.clock.now;
  const verifier = createKratosVerifier({
    kratosUrl: 'http://kratos.example',
    keep: createKeep(sessionPaths(configOf(FEWEST).identityHeaders)),
    client: {
      get: async (_url, headers) => ({
        kind: 'answer',
        status: 200,
        header: () => [],
        body: whoamiBody(personOf((headers['cookie'] ?? '').slice(COOKIE.length + 1)) ?? 0, issuer.clock.now),
      }),
    },
    clock,
    log: new ThrottledLog(new RecordingLog(), clock),
  });
  const cache = emptyCache(3_600_000, count);
  const before = heapBytes();
  for (let person = 0; person < count; person++)
    await cache.verify({ kind: 'session_cookie', value: `${COOKIE}=${cookieOf(person)}` }, verifier);
  const after = heapBytes();
  const check = checkWith(configOf(FEWEST), verifier, cache);
  const random = randomFrom(SEED);
  const all = Array.from({ length: REQUESTS }, () =>
    request({
      host: hostOf(0),
      path: '/tenants/t-1/service-0/orders/1',
      cookie: [`${COOKIE}=${cookieOf(Math.floor(random() * count))}`],
    }),
  );
  return {
    subject: { checks: CHECKS, run: (round) => allowed(check, part(all, CHECKS, round)), samples: [] },
    heapBytes: Math.round((after - before) / count),
  };
}

/** What is left after everything that can be is freed. */
function heapBytes(): number {
  if (!globalThis.gc) throw new Error('run with --expose-gc');
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** Round by round against the base. */
function timesOf(subject: Subject, base: Subject): Pick<DecisionRow, 'times' | 'from' | 'to' | 'micros'> {
  const ratios = subject.samples.map((sample, round) => sample / (base.samples[round] ?? Number.NaN));
  return {
    micros: rounded(quantile(subject.samples, 0.5)),
    times: rounded(quantile(subject.samples, 0.5) / quantile(base.samples, 0.5)),
    from: rounded(quantile(ratios, 0.25)),
    to: rounded(quantile(ratios, 0.75)),
  };
}

const credentials: readonly Credential[] = ['session', 'JWT'];
const byRules = credentials.flatMap((credential) =>
  RULES.map((rules) => ({ credential, rules, subject: remembered(rules, credential) })),
);
const cold = await unseen(FEWEST);
const bySessions: { readonly count: number; readonly subject: Subject; readonly heapBytes: number }[] = [];
for (const count of SESSIONS) bySessions.push({ count, ...(await sessions(count)) });

await measure([...byRules.map(({ subject }) => subject), cold, ...bySessions.map(({ subject }) => subject)]);

const baseOf = (credential: Credential): Subject =>
  byRules.find((one) => one.credential === credential && one.rules === FEWEST)?.subject ?? cold;
const rules: DecisionRow[] = [
  ...byRules.map(({ credential, rules, subject }) => ({
    credential,
    remembered: true,
    rules,
    ...timesOf(subject, baseOf(credential)),
  })),
  { credential: 'JWT', remembered: false, rules: FEWEST, ...timesOf(cold, baseOf('JWT')) },
];
const few = bySessions[0]?.subject ?? cold;
const sessionRows: SessionsRow[] = bySessions.map(({ count, subject, heapBytes }) => ({
  sessions: count,
  heapBytes,
  ...timesOf(subject, few),
}));
const result: DecisionResult = {
  rounds: ROUNDS,
  decisionsEachRound: CHECKS,
  seed: SEED,
  rules,
  sessions: sessionRows,
};
process.stdout.write(JSON.stringify(result));
