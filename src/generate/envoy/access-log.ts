// One JSON line a request, without credentials: no query, no cookies, no headers but the request's id. No I/O.
import { WIRE } from '../../check/wire.ts';
import type { Plan } from '../plan.ts';
import type { Block } from '../yaml.ts';
import { EXT_AUTHZ } from './filter-names.ts';
import { decidedAs, nativeReason, REMEMBERED_REASON } from './native-yes.ts';
import { ROUTE_METADATA } from './routes.ts';

/** Each request is written by one of them: by whom it was decided is a word that no format operator can make. */
export function accessLogs(plan: Plan): Block[] {
  const native = plan.authorizer && plan.rules.some(({ verdict }) => verdict.kind === 'native');
  const rest: Written = {
    reason: `%DYNAMIC_METADATA(${EXT_AUTHZ}:${WIRE.reason})%${plan.authorizer ? '' : nativeReason(plan)}%METADATA(ROUTE:${ROUTE_METADATA}:reason)%`,
    decidedBy: `%METADATA(ROUTE:${ROUTE_METADATA}:decided_by)%`,
  };
  if (!native && !plan.edgeCache) return [log(rest)];
  return [
    ...(native ? [log({ reason: nativeReason(plan), decidedBy: 'native' }, where('allowed'))] : []),
    ...(plan.edgeCache ? [log({ reason: REMEMBERED_REASON, decidedBy: 'edge-cache' }, where('session', 'token'))] : []),
    log(rest, { metadata_filter: { matcher: decidedAs(['denied']), match_if_key_not_found: true } }),
  ];
}

interface Written {
  readonly reason: string;
  readonly decidedBy: string;
}

function where(...decision: string[]): Block {
  return { metadata_filter: { matcher: decidedAs(decision), match_if_key_not_found: false } };
}

function log({ reason, decidedBy }: Written, filter?: Block): Block {
  return {
    name: 'envoy.access_loggers.stdout',
    ...(filter ? { filter } : {}),
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
          rule: `%METADATA(ROUTE:${ROUTE_METADATA}:rule)%`,
          reason,
          decided_by: decidedBy,
          request_id: '%REQ(X-REQUEST-ID)%',
          client: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
          upstream: '%UPSTREAM_HOST%',
        },
        omit_empty_values: true,
      },
    },
  };
}
