// The names that the authorizer and the generated Envoy speak to each other in. None of them reaches client or
// application. No I/O.

export const WIRE = {
  /** On a check: `metadata` asks for an outage's status beside the answer, because Envoy drops the body of a 5xx. */
  statusVia: 'ory-status-via',
  /** On a check: which policy the route that asks belongs to, where several are about. */
  policy: 'ory-policy',
  /** On a check: the code with which jwt_authn refused a token; absent where it did not. Never a reason for a yes. */
  jwtFailure: 'ory-jwt-failure',
  /** On a check: the rule and the credential that the edge cache looked up, and did not find. */
  edgeKey: 'ory-edge-key',
  /** On a yes that the edge cache may remember: for how many milliseconds, from before the check. */
  cacheFor: 'ory-cache-for',
  /** On an answer: the status that the client is to get. */
  status: 'ory-status',
  /** On every answer: why. */
  reason: 'ory-reason',
  /** On every answer that a rule led to: its name. */
  rule: 'ory-rule',
} as const;

/** On a yes that the edge cache may remember: an identity header's value, under this name before its own. */
export function wireIdentity(header: string): string {
  return `ory-${header}`;
}

/** The name of a rule's route. Where several policies are about, a yes of one is not remembered for another. */
export function routeName(rule: string, policy: string | undefined): string {
  return policy === undefined ? rule : `${rule}@${policy}`;
}
