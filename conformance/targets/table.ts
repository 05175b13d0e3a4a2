// The table: policies, each with its cases, and the targets that they run on. Reads files.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { Case } from '../../src/cli/cases/case.ts';
import type { Target } from '../../src/generate/target.ts';
import type { RunningBacking } from './backing.ts';
import { envoyTarget } from './envoy.ts';
import { startEnvoyGateway } from './envoy-gateway.ts';
import { startIstioGateway, startIstioSidecar } from './istio.ts';
import { madeToken } from './made-token.ts';
import { startOathkeeper } from './oathkeeper.ts';
import type { StartTarget } from './target.ts';

export interface Sheet {
  readonly name: string;
  readonly policy: Readonly<Record<string, unknown>>;
  /** The file of cases. */
  readonly cases: string;
  /** What the engine cannot judge: it has an Ory of its own, and no Envoy before it. */
  readonly edgeAlone?: true;
  /** Refusals are expected in whatever words: nobody is asked. */
  readonly withoutAuthorizer?: true;
  /** Of the cases in the file; default all. */
  readonly only?: (one: Case) => boolean;
  /** Whoever is asked is ended before the cases. */
  readonly deciderAway?: true;
  /** Values of `${NAME}` in the cases. */
  readonly env?: (backing: RunningBacking) => Promise<Readonly<Record<string, string>>>;
}

export interface Column {
  readonly name: string;
  readonly target: Target;
  readonly start: StartTarget;
  /** Why nothing but what is open passes without whoever is asked, in a sentence's words. */
  readonly apart?: string;
  /** With nobody to ask, where that has to be asked for. */
  readonly startAlone?: StartTarget;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const policy = (path: string) => parse(readFileSync(here(path), 'utf8')) as Record<string, unknown>;

/** Rules whose claims are no text: some targets compare text alone, and then have all of the policy asked about. */
const NO_TEXT = ['number', 'truth'];
const tokens = policy('cases/tokens.yaml');
const textTokens = {
  ...tokens,
  rules: (tokens['rules'] as readonly { readonly name: string }[]).filter(({ name }) => !NO_TEXT.includes(name)),
};
const isOfText = ({ request }: Case) => !NO_TEXT.some((name) => request.url.startsWith(`/${name}/`));

export const SHEETS: readonly Sheet[] = [
  {
    name: 'everything, with opaque tokens',
    policy: policy('../edge/cases/policy.yaml'),
    cases: here('../edge/cases/cases.yaml'),
    env: async ({ policy: { edge }, ports }) => {
      const { public_url: url = '' } = edge as { readonly public_url?: string };
      const LOGIN = `http://127.0.0.1:${ports.ory}/self-service/login/browser`;
      return { EDGE_URL: url, EDGE: encodeURIComponent(url), LOGIN };
    },
  },
  {
    name: 'overlapping rules, headers, paths',
    policy: policy('cases/overlap.yaml'),
    cases: here('cases/overlap.cases.yaml'),
  },
  { name: 'tokens alone', policy: tokens, cases: here('cases/tokens.cases.yaml') },
  {
    name: 'tokens alone, of claims that are text',
    policy: textTokens,
    cases: here('cases/tokens.cases.yaml'),
    only: isOfText,
  },
  {
    // Every yes is the edge's own.
    name: 'tokens alone, of claims that are text, and the authorizer is away',
    policy: textTokens,
    cases: here('cases/tokens.cases.yaml'),
    only: (one) => isOfText(one) && one.expect.status === 200,
    deciderAway: true,
  },
  {
    name: 'sessions and tokens, without claims',
    policy: policy('cases/people.yaml'),
    cases: here('cases/people.cases.yaml'),
  },
  {
    name: 'tokens alone, as they are written',
    policy: textTokens,
    cases: here('../edge/cases/no-authorizer.yaml'),
    edgeAlone: true,
    withoutAuthorizer: true,
    env: async (backing) => ({
      READ: await madeToken(backing, ['read']),
      WRITE: await madeToken(backing, ['write']),
      LARGE: 'x'.repeat(62_000),
    }),
  },
  {
    name: 'Ory is away',
    policy: policy('cases/outage.yaml'),
    cases: here('cases/outage.cases.yaml'),
    edgeAlone: true,
  },
  {
    name: 'the authorizer is away',
    policy: policy('cases/overlap.yaml'),
    cases: here('cases/authorizer-down.cases.yaml'),
    edgeAlone: true,
    deciderAway: true,
  },
];

export const COLUMNS: readonly Column[] = [
  {
    name: 'envoy/http',
    target: 'envoy',
    start: envoyTarget('http'),
    startAlone: envoyTarget('http', ['--no-authorizer']),
  },
  {
    name: 'envoy/grpc',
    target: 'envoy',
    start: envoyTarget('grpc'),
    startAlone: envoyTarget('grpc', ['--no-authorizer']),
  },
  { name: 'istio sidecar', target: 'istio', start: startIstioSidecar },
  { name: 'istio gateway', target: 'istio', start: startIstioGateway },
  { name: 'envoy-gateway', target: 'envoy-gateway', start: startEnvoyGateway },
  {
    name: 'oathkeeper',
    target: 'oathkeeper',
    start: startOathkeeper,
    apart: 'Envoy asks Oathkeeper about every rule that is not open',
  },
];
