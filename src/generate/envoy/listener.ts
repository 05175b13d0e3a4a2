// The listener and its HTTP connection manager: protocols, limits, normalisation, downstream TLS. No I/O.
import type { Config } from '../../config/config.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { accessLogs } from './access-log.ts';
import { socketAddress } from './address.ts';
import { httpFilters } from './filters.ts';
import { earlyHeaderMutations } from './header-stripping.ts';
import { localReplyConfig } from './local-replies.ts';
import { routeConfig } from './routes.ts';
import type { Transport } from './transport.ts';

export function listener(config: Config, plan: Plan, transport: Transport): Block {
  const { listen, tls } = config.edge;
  return {
    name: 'edge',
    address: socketAddress(listen, 'edge.listen'),
    // Otherwise a second Envoy could take a share of the port unseen, and an old policy would go on answering.
    enable_reuse_port: false,
    per_connection_buffer_limit_bytes: 32_768,
    filter_chains: [
      {
        transport_socket_connect_timeout: '10s',
        ...(tls ? { transport_socket: downstreamTls(tls) } : {}),
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'edge',
              codec_type: 'AUTO',
              access_log: accessLogs(plan),
              ...connectionLimits(),
              ...connectionManager(config, plan, transport),
              route_config: routeConfig(plan),
            },
          },
        ],
      },
    ],
  };
}

/** What an HTTP connection manager that one already has must take over for the rules to hold. */
export function connectionManager(config: Config, plan: Plan, transport: Transport): Block {
  const { trustedHops } = config.edge;
  return {
    early_header_mutation_extensions: [earlyHeaderMutations(plan, trustedHops)],
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    use_remote_address: true,
    ...(trustedHops === 0 ? {} : { xff_num_trusted_hops: trustedHops }),
    // Nobody is internal: such a client may steer timeouts and retries by x-envoy-* headers and choose its request id.
    // With this message present, an empty list means every private address (Envoy 1.40), so it names one that nobody has.
    internal_address_config: { cidr_ranges: [{ address_prefix: '0.0.0.0', prefix_len: 32 }] },
    server_header_transformation: 'PASS_THROUGH',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    local_reply_config: localReplyConfig(transport, plan, config.edge.publicUrl),
    http_filters: httpFilters(config, plan, transport),
  };
}

function connectionLimits(): Block {
  return {
    request_headers_timeout: '10s',
    stream_idle_timeout: '300s',
    max_request_headers_kb: 60,
    common_http_protocol_options: { idle_timeout: '300s', max_headers_count: 100 },
    http2_protocol_options: {
      max_concurrent_streams: 100,
      initial_stream_window_size: 65_536,
      initial_connection_window_size: 1_048_576,
    },
  };
}

function downstreamTls({ cert, key }: { readonly cert: string; readonly key: string }): Block {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: {
        alpn_protocols: ['h2', 'http/1.1'],
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
        tls_certificates: [
          {
            [COMMENT]: 'edge.tls',
            certificate_chain: { filename: cert },
            private_key: { filename: key },
          },
        ],
      },
    },
  };
}
