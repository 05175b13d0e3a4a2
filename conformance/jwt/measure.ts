// What Envoy's jwt_authn says of each token case, asked of a real Envoy that has no other filter. Runs a program, opens ports.
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import { type RawAnswer, sendRaw } from '../edge/envoy-rig.ts';
import { CASES, requestOf } from './cases.ts';
import { AUDIENCE, ISSUER } from './issuer.ts';
import { KEY_SETS, type KeySetName, makeKeys } from './keys.ts';
import { Maker } from './maker.ts';

interface Verdict {
  readonly yes: boolean;
  readonly status: number;
  /** Empty of a yes. */
  readonly body: string;
  readonly wwwAuthenticate: string | undefined;
}

export interface Recorded {
  readonly envoy: string;
  readonly cases: Readonly<
    Record<
      string,
      {
        /** With issuer, audience and keys, and everything else as Envoy has it by itself. */
        readonly plain: Verdict;
        /** With the provider of the generated configuration. */
        readonly generated: Verdict;
      }
    >
  >;
}

export const RECORDED = new URL('verdicts.json', import.meta.url);

const SETTINGS = ['plain', 'generated'] as const;
type Setting = (typeof SETTINGS)[number];

/** The policy of which the generated provider is taken, and by which our verifier judges the cases. */
export const POLICY = `
ory: { kratos: { public_url: http://127.0.0.1:1 }, hydra: { issuer: "${ISSUER}", jwks_url: http://127.0.0.1:1/jwks } }
tokens: { audiences: ["${AUDIENCE}"] }
rules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]
edge: { upstream: http://127.0.0.1:1, listen: 127.0.0.1:0, admin: 127.0.0.1:0 }
`;

export async function measure(): Promise<Recorded> {
  const found = await findEnvoy();
  const keys = makeKeys();
  const envoy = await startEnvoy({
    path: found.path,
    config: JSON.stringify(bootstrap(keys.sets)),
    concurrency: 1,
  });
  const cases: [string, Recorded['cases'][string]][] = [];
  try {
    for (const one of CASES) {
      const request = requestOf(one, new Maker(keys, Math.floor(Date.now() / 1_000)));
      const ask = async (setting: Setting) => {
        const lines = [
          `GET /${setting}/${one.keys ?? 'main'}${request.query} HTTP/1.1`,
          'host: edge.test',
          'connection: close',
          ...request.authorization.map((value) => `authorization: ${value}`),
        ];
        return verdict(await sendRaw(envoy.listenPort, Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')));
      };
      cases.push([one.name, { plain: await ask('plain'), generated: await ask('generated') }]);
    }
  } finally {
    await envoy.stop();
  }
  return { envoy: found.version, cases: Object.fromEntries(cases) };
}

/** Without what no two measurements have in common: the token in the realm. */
function verdict({ status, headers, body }: RawAnswer): Verdict {
  const challenge = headers.find(([name]) => name === 'www-authenticate')?.[1];
  const yes = status === 200 && body === 'yes';
  return {
    yes,
    status,
    body: yes ? '' : body,
    wwwAuthenticate: challenge?.replace(/access_token=[^"&]*/, 'access_token=…'),
  };
}

type Json = Readonly<Record<string, unknown>>;

function bootstrap(sets: Readonly<Record<KeySetName, readonly Json[]>>): Json {
  const generated = generatedProvider();
  const providers = KEY_SETS.flatMap((set) => {
    const keys = { local_jwks: { inline_string: JSON.stringify({ keys: sets[set] }) } };
    return [
      [`plain/${set}`, { issuer: ISSUER, audiences: [AUDIENCE], ...keys }],
      [`generated/${set}`, { ...generated, ...keys }],
    ] as const;
  });
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return {
    admin: { address },
    static_resources: {
      listeners: [{ name: 'cases', address, filter_chains: [{ filters: [manager(providers)] }] }],
    },
  };
}

function manager(providers: readonly (readonly [string, Json])[]): Json {
  const filter = (name: string, message: string, config: Json) => ({
    name: `envoy.filters.http.${name}`,
    typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.http.${name}.v3.${message}`, ...config },
  });
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'cases',
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'yes' } } }],
          },
        ],
      },
      http_filters: [
        filter('jwt_authn', 'JwtAuthentication', {
          providers: Object.fromEntries(providers),
          rules: providers.map(([name]) => ({ match: { path: `/${name}` }, requires: { provider_name: name } })),
        }),
        filter('router', 'Router', {}),
      ],
    },
  };
}

/** As the generated Envoy has it, with the keys at hand in place of those that it would fetch. */
function generatedProvider(): Json {
  const yaml = generateEnvoy(parseConfig(POLICY, 'cases.yaml', { env: {} }), { part: 'filters' });
  const filters = (parse(yaml) as { http_filters: { name: string; typed_config: Json }[] }).http_filters;
  const jwt = filters.find(({ name }) => name === 'envoy.filters.http.jwt_authn')?.typed_config;
  const [provider] = Object.values((jwt?.['providers'] ?? {}) as Record<string, Json>);
  if (!provider) throw new Error('the generated configuration has no provider of tokens');
  const { remote_jwks: _, ...rest } = provider;
  return rest;
}
