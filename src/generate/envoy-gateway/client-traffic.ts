// The ClientTrafficPolicy: what is removed from every request before anything else, and how paths are normalised. No I/O.
import type { Config } from '../../config/config.ts';
import { everySpelling, strippedHeaders } from '../envoy/header-stripping.ts';
import { GenerateError } from '../generate-error.ts';
import type { Manifest } from '../kubernetes/manifest.ts';
import type { Plan } from '../plan.ts';
import { isBefore, type Version } from '../target.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { EXTENSION_API, GATEWAY_FILE, gatewayRef, NAME } from './kinds.ts';

/** Of `removeOnMatch`, and of each expression in it. */
const MAX_EXPRESSIONS = 64;
const MAX_EXPRESSION = 1_024;

/** `timeout.http.requestHeadersReceivedTimeout` is as old. */
const HEADERS_TIMEOUT_SINCE: Version = [1, 9, 0];

export function clientTrafficPolicy(config: Config, plan: Plan, namespace: string, version: Version): Manifest {
  const { trustedHops } = config.edge;
  return {
    file: GATEWAY_FILE,
    object: {
      [COMMENT]: 'All of it is needed: without the removal of headers a client could claim an identity.',
      apiVersion: EXTENSION_API,
      kind: 'ClientTrafficPolicy',
      metadata: { name: NAME, namespace },
      spec: {
        targetRefs: [gatewayRef()],
        headers: {
          // Those that matter are removed below, in every spelling; others are the application's.
          withUnderscoresAction: 'Allow',
          earlyRequestHeaders: { removeOnMatch: removals(plan, trustedHops) },
        },
        path: { disableMergeSlashes: false, escapedSlashesAction: 'KeepUnchanged' },
        ...(trustedHops === 0 ? {} : { clientIPDetection: { xForwardedFor: { numTrustedHops: trustedHops } } }),
        connection: { bufferLimit: '32Ki' },
        http2: { maxConcurrentStreams: 100, initialStreamWindowSize: '64Ki', initialConnectionWindowSize: '1Mi' },
        timeout: {
          http: {
            ...(isBefore(version, HEADERS_TIMEOUT_SINCE) ? {} : { requestHeadersReceivedTimeout: '10s' }),
            idleTimeout: '300s',
            streamIdleTimeout: '300s',
          },
        },
      },
    },
  };
}

/** `x-envoy-*` altogether: to a client in a private network Envoy would listen, and the gateway cannot say that none is. */
const STEERING = 'x-envoy-*';

function removals(plan: Plan, trustedHops: number): Block[] {
  const expressions = [STEERING, ...strippedHeaders(plan, trustedHops)].map(everySpelling);
  const long = expressions.find((value) => value.length > MAX_EXPRESSION);
  if (expressions.length > MAX_EXPRESSIONS || long)
    throw new GenerateError(
      `identity_headers: Envoy Gateway removes ${MAX_EXPRESSIONS} headers at most, of ${MAX_EXPRESSION} characters each. Have fewer or shorter ones.`,
    );
  return expressions.map((value) => ({ type: 'RegularExpression', value }));
}
