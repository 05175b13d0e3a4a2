// Everything that Envoy connects to: the application's upstreams, the authorizer, the issuer's keys. No I/O.
import { isIP } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import type { Transport } from './transport.ts';

export const AUTHORIZER_CLUSTER = 'authorizer';
export const JWKS_CLUSTER = 'jwks';
export const KRATOS_CLUSTER = 'ory-kratos';
export const HYDRA_CLUSTER = 'ory-hydra';

/** An upstream may be called `authorizer`: its cluster is another one. */
export function upstreamCluster(name: string): string {
  return `upstream-${name}`;
}

export interface ClusterOptions {
  readonly transport: Transport;
  /** The certificates that upstreams are verified with, where Envoy runs. */
  readonly caFile: string;
  /** Whether Envoy fetches the issuer's keys itself. */
  readonly fetchesKeys: boolean;
}

export function clusters(config: Config, plan: Plan, { transport, caFile, fetchesKeys }: ClusterOptions): Value[] {
  const all: Value[] = [];
  for (const [name, { url, http2 }] of config.edge.upstreams) {
    all.push(
      cluster({
        name: upstreamCluster(name),
        url,
        caFile,
        connectTimeout: '5s',
        role: 'serves',
        protocol: http2 ? HTTP2 : HTTP1,
      }),
    );
  }
  if (plan.authorizer) all.push(authorizerCluster(config, transport, caFile));
  const { ory } = config.edge;
  if (ory) {
    const common = { caFile, connectTimeout: '5s', role: 'serves' } as const;
    all.push(cluster({ name: KRATOS_CLUSTER, url: ory.kratosUrl, ...common }));
    if (ory.hydraUrl) all.push(cluster({ name: HYDRA_CLUSTER, url: ory.hydraUrl, ...common }));
  }
  if (plan.tokens && fetchesKeys) {
    const url = new URL(plan.tokens.jwksUrl);
    all.push({
      [COMMENT]: 'The token issuer’s keys.',
      ...cluster({ name: JWKS_CLUSTER, url, caFile, connectTimeout: '5s', role: 'fetched-from' }),
    });
  }
  return all;
}

function authorizerCluster({ edge }: Config, transport: Transport, caFile: string): Block {
  const grpc = transport === 'grpc';
  return cluster({
    name: AUTHORIZER_CLUSTER,
    url: grpc ? edge.authorizerGrpc : edge.authorizer,
    caFile,
    connectTimeout: '1s',
    role: 'serves',
    protocol: grpc ? HTTP2 : HTTP1,
  });
}

interface ClusterSettings {
  readonly name: string;
  readonly url: URL;
  readonly caFile: string;
  readonly connectTimeout: string;
  readonly role: 'serves' | 'fetched-from';
  readonly protocol?: Block;
}

const HTTP1: Block = {
  // Shorter than the 5 s after which Node and others close an idle connection: a request that meets the close fails.
  common_http_protocol_options: { idle_timeout: '4s' },
  explicit_http_config: { http_protocol_options: {} },
};

/** A check goes over a connection that is seldom new: pings notice one whose other end is gone. */
const HTTP2: Block = {
  explicit_http_config: {
    http2_protocol_options: {
      connection_keepalive: { interval: '30s', timeout: '2s', connection_idle_interval: '5s' },
    },
  },
};

function cluster({ name, url, caFile, connectTimeout, role, protocol = HTTP1 }: ClusterSettings): Block {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const tls = url.protocol === 'https:';
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  return {
    name,
    ...discovery(host, role),
    connect_timeout: connectTimeout,
    ...(role === 'serves' ? SERVING_LIMITS : {}),
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 60, keepalive_interval: 10, keepalive_probes: 3 } },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        ...protocol,
      },
    },
    ...(tls ? { transport_socket: upstreamTls(host, caFile) } : {}),
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }] },
      ],
    },
  };
}

const SERVING_LIMITS: Block = {
  per_connection_buffer_limit_bytes: 32_768,
  circuit_breakers: {
    thresholds: [{ max_connections: 10_000, max_pending_requests: 10_000, max_requests: 10_000, max_retries: 100 }],
  },
};

/** An address is itself; an issuer whose name is not known at the start does not hold it up. */
function discovery(host: string, role: ClusterSettings['role']): Block {
  if (isIP(host) !== 0) return { type: 'STATIC' };
  // `ALL` tries the families in turn (a development server may have ::1 alone), and needs one endpoint for all of them.
  const oneEndpoint = host === 'localhost' || role === 'fetched-from';
  const dns: Block = {
    cluster_type: {
      name: 'envoy.cluster.dns',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster',
        dns_lookup_family: oneEndpoint ? 'ALL' : 'V4_PREFERRED',
        all_addresses_in_single_endpoint: oneEndpoint,
        dns_refresh_rate: '5s',
        respect_dns_ttl: true,
      },
    },
  };
  return role === 'fetched-from' ? { ...dns, wait_for_warm_on_init: false } : dns;
}

function upstreamTls(host: string, caFile: string): Block {
  const address = isIP(host) !== 0;
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      // RFC 6066, section 3: no addresses in SNI.
      ...(address ? {} : { sni: host }),
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
        validation_context: {
          trusted_ca: { filename: caFile },
          match_typed_subject_alt_names: [{ san_type: address ? 'IP_ADDRESS' : 'DNS', matcher: { exact: host } }],
        },
      },
    },
  };
}
