// Where Envoy's jwt_authn and our verifier differ on the token cases, each with its reason. A case that stands here and
// does not differ fails its test. No I/O.

/** What keeps a difference from mattering in the generated configuration. */
type Closed =
  /** A field of its provider: there the two do not differ. */
  | 'provider'
  /** The conditions on a native yes: whoever does not meet them is asked about. */
  | 'conditions'
  /** Nothing: only the issuer can make such a token, with its own key, and does not. */
  | 'issuer'
  /** The same, where Envoy fetches the keys itself; with keys by file it has the verifier's own, and they do not differ. */
  | 'keys'
  /** Native filters never say no: the authorizer is asked, and says yes. */
  | 'asked';

export interface Difference {
  /** What jwt_authn does with what our verifier does not. */
  readonly native: 'accepts' | 'refuses';
  readonly closed: Closed;
  readonly why: string;
}

type Group = readonly [closed: Closed, why: string, cases: readonly string[]];

const odd = (members: readonly string[], kinds: readonly string[]) =>
  members.flatMap((member) => kinds.map((kind) => `${member} ${kind}`));

const ACCEPTED: readonly Group[] = [
  ['provider', 'a token without an end is refused: nobody could take it back', ['exp missing', 'exp zero']],
  ['provider', 'addresses stand in logs and histories: no token is taken from them', ['the token in the query']],
  [
    'conditions',
    'Envoy looks for "Bearer " anywhere in the value',
    ['text before Bearer', 'Basic and a bearer in one line'],
  ],
  [
    'conditions',
    'a signature has one length (RFC 7518, section 3.4): Envoy looks at half of its bytes, rounded down',
    ['es256', 'es384', 'es512'].map((key) => `a byte behind the signature, ${key}`),
  ],
  [
    'conditions',
    'one token has one spelling here: whoever remembers tokens remembers each once',
    [
      ...['padding after the signature', 'loose bits in the signature', 'loose bits in the payload'],
      ...['padding after the header', 'padding after the payload'],
    ],
  ],
  ['conditions', 'a key is named, so that a set of keys is no set of guesses', ['no kid', 'kid is empty']],
  [
    'conditions',
    'other kinds of token are no access tokens (RFC 8725, section 3.11)',
    [
      ...['typ logout+jwt', 'typ dpop+jwt', 'typ JWE', 'typ is empty', 'typ is a number', 'typ is a list'],
      ...odd(['at_hash', 'c_hash', 's_hash', 'nonce', 'events'], ['of another kind of token', 'null']),
    ],
  ],
  [
    'conditions',
    'members that bring a key or must be understood are refused whatever they hold (RFC 8725, section 3)',
    [
      ...['jwk with the signing key', 'crit as RFC 7515 has it'],
      ...odd(
        ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'],
        ['is a text', 'is null', 'is an empty list', 'is false'],
      ),
    ],
  ],
  [
    'conditions',
    'Envoy takes an audience without scheme and last slash for the same',
    ['aud with a trailing slash', 'aud without scheme', 'aud with http', 'aud with http and a slash'],
  ],
  [
    'conditions',
    'an access token of Hydra has a client',
    odd(['client_id'], ['missing', 'null', 'empty', 'a number', 'a list']),
  ],
  [
    'conditions',
    'with a secret of a published set anybody could sign',
    ['HS256 by a secret in the set', 'HS256 by a secret in the set, without kid'],
  ],
  [
    'conditions',
    'a time this far away is a mistake: of a unit, most often',
    ['exp 1e12', 'exp 1e15', 'exp 1e18', 'iat 1e15'],
  ],
  [
    'issuer',
    'Envoy reads JSON leniently; what is read is signed',
    [
      ...['single quotes in the payload', 'a member without quotes in the payload'],
      ...['a comma before the payload’s end', 'a control character in a claim'],
    ],
  ],
  [
    'keys',
    'such a key is not used here, and an Envoy that fetches keys cannot be told so',
    [
      ...['an RSA key of 1,024 bits', 'a key for encryption', 'a key whose operations are others'],
      ...['two keys of one kid, the second signed', 'two keys of one kid, the first signed'],
      ...['a key without kid, a token with one', 'more than a hundred keys'],
    ],
  ],
  ['conditions', 'such a key is not used here, and its tokens name none', ['a key without kid, a token without']],
];

const REFUSED: readonly Group[] = [
  [
    'asked',
    'a scheme is the same in any case (RFC 9110, section 11.1)',
    ['bearer in lower case', 'BEARER in capitals'],
  ],
  ['asked', 'a proxy may double a line: the same twice is one credential', ['two lines of one token']],
  [
    'asked',
    'of a member that stands twice the last counts (RFC 8259 leaves it open); what is read is signed',
    [
      ...['alg twice, first forbidden', 'typ twice, first another', 'kid twice, both the same'],
      ...['exp twice, first in the past', 'aud twice, first another'],
    ],
  ],
  [
    'asked',
    'JSON that Envoy cannot hold, and JavaScript can',
    ['half a surrogate pair', 'nested 100 deep', 'nested 1,000 deep', 'a number that is not finite'],
  ],
  ['asked', 'a negative time is a time', ['nbf negative', 'iat negative']],
];

/**
 * By the name of the case; `plain` is jwt_authn as it comes, `generated` as the generated provider sets it, `by file` the
 * same with the authorizer's keys.
 */
export function differences(setting: 'plain' | 'generated' | 'by file'): ReadonlyMap<string, Difference> {
  const listed = [...entries(ACCEPTED, 'accepts'), ...entries(REFUSED, 'refuses')];
  const gone: readonly Closed[] = { plain: [], generated: ['provider'], 'by file': ['provider', 'keys'] }[
    setting
  ] as Closed[];
  return new Map(listed.filter(([, { closed }]) => !gone.includes(closed)));
}

function entries(groups: readonly Group[], native: Difference['native']): [string, Difference][] {
  return groups.flatMap(([closed, why, cases]) =>
    cases.map((name): [string, Difference] => [name, { native, closed, why }]),
  );
}
