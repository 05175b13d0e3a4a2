// Where the real Oathkeeper answers otherwise than the authorizer, and why: each line is measured. No I/O.

/** By what comes of it in both: a status, or `200` with identity or without. */
export interface Difference {
  readonly policy: string;
  readonly oathkeeper: string;
  readonly why: string;
}

export const DIFFERENCES = {
  wrongTokenKind: {
    policy: '401',
    oathkeeper: '403',
    why: 'Oathkeeper forbids what introspection calls a refresh token',
  },
  opaqueAudience: { policy: '401', oathkeeper: '403', why: 'an introspected token for another audience is forbidden' },
  scope: { policy: '403', oathkeeper: '401', why: 'a JWT without a scope is unauthorized to Oathkeeper' },
  idToken: {
    policy: '401',
    oathkeeper: '503',
    why: 'Oathkeeper takes the ID token; a template refuses it, which is an internal error of Oathkeeper’s',
  },
  noExpiry: {
    policy: '401',
    oathkeeper: '503',
    why: 'Oathkeeper takes a JWT without exp; a template refuses it, which is an internal error of Oathkeeper’s',
  },
  badBesideGood: {
    policy: '200',
    oathkeeper: '401',
    why: 'an authenticator that refuses what it finds is the last one: a good credential of the next alternative does not count',
  },
  badAtIdentify: {
    policy: '200',
    oathkeeper: '401',
    why: 'a refused credential is a denial at a rule that identifies as well',
  },
  aal: { policy: '403', oathkeeper: '401', why: 'whatever whoami answers but 200 is unauthorized to Oathkeeper' },
  kratosError: {
    policy: '503',
    oathkeeper: '401',
    why: 'whatever whoami answers but 200 is unauthorized to Oathkeeper',
  },
  kratosGone: { policy: '503', oathkeeper: '403', why: 'a whoami that does not answer is forbidden to Oathkeeper' },
  endedSession: {
    policy: '401',
    oathkeeper: '503',
    why: 'Oathkeeper takes any 200 for a session; a template refuses it, which is an internal error of Oathkeeper’s',
  },
  keysGone: {
    policy: '200',
    oathkeeper: '401',
    why: 'Oathkeeper has no keys before the first token and keeps them for 30 s; Envoy has fetched them before, and keeps the last good ones',
  },
  sameTwice: {
    policy: '200',
    oathkeeper: '400',
    why: 'the script before Oathkeeper counts credentials and does not compare them',
  },
  noFetchMarks: {
    policy: '401',
    oathkeeper: '302',
    why: 'Oathkeeper knows a navigation by Accept alone: a script that would take text/html is redirected too',
  },
  oddMethod: {
    policy: '400',
    oathkeeper: '404',
    why: 'Oathkeeper names every method, and knows those of IANA’s registry and of the policy; the authorizer cannot read such a method over HTTP',
  },
} as const satisfies Record<string, Difference>;
export type DifferenceName = keyof typeof DIFFERENCES;
