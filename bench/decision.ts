// What one decision costs with ten rules, a thousand and ten thousand, and what a token costs that is not remembered.
// Everything is measured in turn, many times, in one process, so that whatever else the machine does hits all alike;
// the result is ratios. Prints a table, writes bench/results/decision.json and the table of
// docs/performance.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type Check, createCheck } from '../src/check/check.ts';
import { IdentityCache } from '../src/check/identity/cache/memory.ts';
import type { Identity, Verifier } from '../src/check/identity/identity.ts';
import type { CheckRequest } from '../src/check/request/check-request.ts';
import { hydraClaims, IssuerRig, makeKey, sign } from '../src/check/testing/issuer.ts';
import { RecordingLog } from '../src/check/testing/recording-log.ts';
import { request } from '../src/check/testing/request.ts';
import type { Config } from '../src/config/config.ts';
import { parseConfig } from '../src/config/load.ts';

const FEWEST = 10;
const RULES = [FEWEST, 1_000, 10_000];
const ROUNDS = 1_001;
const REQUESTS = 2_000;
/** Less than a millisecond: a round that the system interrupts is then an exception, and the median is without it. */
const CHECKS = 100;
const COLD_TOKENS = 40;
const COLD_CHECKS = 2;
/** Ten thousand rules may cost at most so many times ten. */
const MOST = 1.5;
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

/** The whole check, with a cache that remembers nothing yet. */
function checkWith(config: Config, tokenVerifier: Verifier, ttlMs = 60_000): Check {
  return createCheck({
    config,
    cache: new IdentityCache({
      ttlMs,
      negativeTtlMs: 1_000,
      staleIfErrorMs: 0,
      maxEntries: 10_000,
      clock: issuer.clock.read,
    }),
    verifiers: {
      session: remembering({ kind: 'session', session: { id: 's', active: true }, expiresAtMs: undefined }),
      token: tokenVerifier,
    },
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
  const identity: Identity = {
    kind: 'token',
    proof: 'key',
    claims: { sub: 'user', scp: ['read'] },
    audiences: ['https://api.example'],
    expiresAtMs: issuer.clock.now + 3_600_000,
    key: { kid: 'k', material: 'm' },
  };
  const check = checkWith(configOf(count), remembering(identity));
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
  const check = checkWith(config, issuer.verifier(), 0);
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

interface Row {
  readonly credential: Credential;
  readonly remembered: boolean;
  readonly rules: number;
  /** Times the same with the fewest rules; for a token that is not remembered, times one that is. */
  readonly ratio: number;
  /** The middle half of the rounds' own ratios. */
  readonly from: number;
  readonly to: number;
}

function rowOf(name: Pick<Row, 'credential' | 'remembered' | 'rules'>, subject: Subject, base: Subject): Row {
  const ratios = subject.samples.map((sample, round) => sample / (base.samples[round] ?? Number.NaN));
  const rounded = (value: number) => Number(value.toFixed(2));
  return {
    ...name,
    ratio: rounded(quantile(subject.samples, 0.5) / quantile(base.samples, 0.5)),
    from: rounded(quantile(ratios, 0.25)),
    to: rounded(quantile(ratios, 0.75)),
  };
}

const credentials: readonly Credential[] = ['session', 'JWT'];
const subjects = credentials.flatMap((credential) =>
  RULES.map((rules) => ({ credential, rules, subject: remembered(rules, credential) })),
);
const cold = await unseen(FEWEST);
await measure([...subjects.map(({ subject }) => subject), cold]);

const baseOf = (credential: Credential): Subject =>
  subjects.find((one) => one.credential === credential && one.rules === FEWEST)?.subject ?? cold;
const timed: (Row & { readonly subject: Subject })[] = [
  ...subjects.map(({ credential, rules, subject }) => ({
    ...rowOf({ credential, remembered: true, rules }, subject, baseOf(credential)),
    subject,
  })),
  { ...rowOf({ credential: 'JWT', remembered: false, rules: FEWEST }, cold, baseOf('JWT')), subject: cold },
];

const out = (line: string) => process.stdout.write(`${line}\n`);
out(`One decision, median of ${ROUNDS} rounds of ${CHECKS} (Node ${process.versions.node})\n`);
out('  credential  remembered   rules   microseconds   ratio   middle half');
for (const { credential, remembered, rules, ratio, from, to, subject } of timed) {
  const cells = [
    credential.padEnd(10),
    (remembered ? 'yes' : 'no').padEnd(10),
    String(rules).padStart(6),
    quantile(subject.samples, 0.5).toFixed(2).padStart(13),
    ratio.toFixed(2).padStart(6),
    `${from.toFixed(2)} to ${to.toFixed(2)}`,
  ];
  out(`  ${cells.join('  ')}`);
}
const rows = timed.map(({ subject: _, ...row }) => row);
const worst = Math.max(...rows.filter((row) => row.remembered).map((row) => row.ratio));
const met = worst <= MOST;
out(`\nAt most ${MOST} times ${FEWEST} rules: ${met ? 'yes' : 'NO'}, ${worst.toFixed(2)}`);

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const result = {
  what: 'One decision of the authorizer on a remembered identity, by the number of rules; and on a token that is not remembered',
  versions: { 'ory-envoy': version, node: process.versions.node, v8: process.versions.v8 },
  counts: { rounds: ROUNDS, decisionsEachRound: CHECKS, unseenTokensEachRound: COLD_CHECKS, seed: SEED },
  required: { atMost: MOST, met },
  rows,
};
mkdirSync('bench/results', { recursive: true });
writeFileSync('bench/results/decision.json', `${JSON.stringify(result, null, 2)}\n`);

const PAGE = 'docs/performance.md';
const table = [
  '| credential | remembered | rules | times ten rules, remembered | middle half |',
  '|---|---|---|---|---|',
  ...rows.map(
    ({ credential, remembered, rules, ratio, from, to }) =>
      `| ${credential} | ${remembered ? 'yes' : 'no'} | ${rules} | ${ratio.toFixed(2)} | ${from.toFixed(2)} to ${to.toFixed(2)} |`,
  ),
].join('\n');
const page = readFileSync(PAGE, 'utf8').replace(/(<!-- bench -->\n)[\s\S]*(\n<!-- \/bench -->)/, `$1${table}$2`);
writeFileSync(PAGE, page);
process.exitCode = met ? 0 : 1;
