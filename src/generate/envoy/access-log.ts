// One JSON line a request, without credentials: no query, no cookies, no headers but the request's id. No I/O.
import { WIRE } from '../../check/wire.ts';
import type { Plan } from '../plan.ts';
import { EXT_AUTHZ } from './filter-names.ts';
import { nativeReason } from './native-yes.ts';
import { ROUTE_METADATA } from './routes.ts';
import type { Block } from './yaml.ts';

export function accessLog(plan: Plan): Block {
  return {
    name: 'envoy.access_loggers.stdout',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
      log_format: {
        json_format: {
          start_time: '%START_TIME%',
          method: '%REQ(:METHOD)%',
          host: '%REQ(:AUTHORITY)%',
          path: '%PATH(NQ)%',
          protocol: '%PROTOCOL%',
          status: '%RESPONSE_CODE%',
          flags: '%RESPONSE_FLAGS%',
          details: '%RESPONSE_CODE_DETAILS%',
          duration_ms: '%DURATION%',
          bytes_received: '%BYTES_RECEIVED%',
          bytes_sent: '%BYTES_SENT%',
          rule: '%ROUTE_NAME%',
          reason: `%DYNAMIC_METADATA(${EXT_AUTHZ}:${WIRE.reason})%${nativeReason(plan)}%METADATA(ROUTE:${ROUTE_METADATA}:reason)%`,
          request_id: '%REQ(X-REQUEST-ID)%',
          client: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
          upstream: '%UPSTREAM_HOST%',
        },
        omit_empty_values: true,
      },
    },
  };
}
