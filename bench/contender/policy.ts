// The policy that is measured: one application, a session or a token for all of it, the default identity headers. No I/O.
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { AUDIENCE } from '../stand-in/issuer.ts';
import type { CredentialKind, Surroundings } from './contender.ts';

export interface PolicyOptions {
  readonly credential: CredentialKind;
  /** What Envoy may remember; `0s` for a contender without the edge cache. */
  readonly edgeTtl: string;
  readonly ports: { readonly http: number; readonly grpc: number; readonly admin: number };
}

/**
 * Lifetimes long enough that what is measured is remembered: how often a lifetime ends is a figure of its own.
 * @returns the file's text, which is YAML as JSON is, and what it means.
 */
export function policyOf(
  { applicationUrl, kratosUrl, issuer }: Surroundings,
  { credential, edgeTtl, ports }: PolicyOptions,
): { readonly text: string; readonly config: Config } {
  const text = JSON.stringify(
    {
      ory: {
        kratos: { public_url: kratosUrl },
        ...(credential === 'JWT'
          ? { hydra: { issuer: issuer.name, jwks_url: `${kratosUrl}/.well-known/jwks.json` } }
          : {}),
      },
      ...(credential === 'JWT' ? { tokens: { audiences: [AUDIENCE] } } : {}),
      rules: [
        {
          name: 'app',
          match: { path: '/**' },
          require: credential === 'JWT' ? { token: {} } : { session: {} },
        },
      ],
      cache: { ttl: '20m', edge_ttl: edgeTtl, max_entries: 1_000_000 },
      edge: { listen: '127.0.0.1:0', admin: '127.0.0.1:0', upstream: applicationUrl, public_url: 'http://127.0.0.1' },
      serve: {
        http: `127.0.0.1:${ports.http}`,
        grpc: `127.0.0.1:${ports.grpc}`,
        admin: `127.0.0.1:${ports.admin}`,
      },
    },
    undefined,
    2,
  );
  return { text, config: parseConfig(text, 'bench.yaml', { env: {} }) };
}
