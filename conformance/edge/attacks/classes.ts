// The classes of attack that the suite beside this file runs: what each is, what stands against it, what happens without
// it. SECURITY.md's table is made from this one (npm run security). No I/O.

export interface AttackClass {
  readonly id: number | string;
  readonly attack: string;
  /** Where it has happened to others. */
  readonly precedent?: string;
  /** What stands against it, and in which files. */
  readonly defence: string;
  readonly where: readonly string[];
  /** Each as `file: a title in it`; files of this folder, or of another by their path. */
  readonly tests: readonly string[];
  /** What an attacker has where the defence is taken away. */
  readonly without: string;
}

export const CLASSES: readonly AttackClass[] = [
  {
    id: 1,
    attack: 'Dot segments, `%2e%2e`, `//`, `%2f`, `%5c`, mixed case escapes, `;` parameters',
    precedent: 'CVE-2026-33494, CVE-2021-31920, CVE-2021-29492, CVE-2026-73511',
    defence:
      'Envoy normalises, the first routes refuse what is left with two readings, and the authorizer refuses it by itself',
    where: ['src/generate/envoy/listener.ts', 'src/generate/envoy/routes.ts', 'src/config/path.ts'],
    tests: [
      'paths.test.ts: no spelling of a path reaches a weaker rule',
      'paths.test.ts: the authorizer refuses them by itself',
      'envoy-paths.test.ts: whatever passes has one reading',
    ],
    without: 'a strict path is served under a public rule',
  },
  {
    id: 2,
    attack: 'Query or fragment taken for path (`/admin?x=/public`, `/public#/../admin`)',
    precedent: 'CVE-2025-54576',
    defence: 'The path ends at the first `?` on both sides; Envoy refuses a fragment',
    where: ['src/check/request/header-lines.ts', 'src/config/path.ts'],
    tests: ['paths.test.ts: a rule sees the path alone', 'paths.test.ts: a fragment is no part of a request'],
    without: 'a query chooses the rule',
  },
  {
    id: 3,
    attack: 'CONNECT without a path, WebSocket upgrade, upgrades to other protocols',
    precedent: 'CVE-2026-73547, CVE-2025-64763',
    defence:
      'Only WebSocket may be upgraded to, by GET, after the verdict; CONNECT has no route, and the authorizer closes on it',
    where: ['src/generate/envoy/routes.ts', 'src/generate/envoy/listener.ts', 'src/server/http.ts'],
    tests: [
      'connections.test.ts: a WebSocket is judged before the upgrade',
      'connections.test.ts: without a path there is no tunnel and no crash',
      'connections.test.ts: the authorizer opens none either',
      'connections.test.ts: an upgrade to %s gets no further than the edge',
    ],
    without: 'an upgrade passes for a preflight and opens a tunnel that nobody judged',
  },
  {
    id: 4,
    attack: 'Host in other case, with port, with trailing dot; two hosts; `Host` beside an absolute target',
    precedent: 'CVE-2026-42273',
    defence: 'Hosts are compared without case, port and dot by Envoy and authorizer alike; what is no host is refused',
    where: ['src/check/request/normalise.ts', 'src/generate/envoy/path-matchers.ts', 'src/generate/envoy/routes.ts'],
    tests: ['paths.test.ts: a host has one reading', 'paths.test.ts: the host of an absolute target counts'],
    without: 'a rule for one host is passed by another spelling of it',
  },
  {
    id: 5,
    attack: 'Regular expressions that backtrack, in rules',
    precedent: 'CVE-2024-45296',
    defence: 'Globs are compared segment by segment, in Envoy by RE2',
    where: ['src/config/pattern.ts', 'src/config/rule-index.ts', 'src/config/path.ts'],
    tests: ['paths.test.ts: an adversarial path is judged at once'],
    without: 'one request keeps the authorizer busy for minutes',
  },
  {
    id: 6,
    attack: 'Two `Authorization`, two `X-Session-Token`, two session cookies, cookies hidden in cookies',
    precedent: 'CVE-2021-32777, CVE-2026-26308',
    defence:
      'Every raw header line is read, two different values in one place are refused, and one credential is sent on, alone',
    where: [
      'src/check/credential/extract.ts',
      'src/check/credential/cookie.ts',
      'src/check/request/header-lines.ts',
      'src/server/http.ts',
    ],
    tests: [
      'credentials.test.ts: two in one place are refused',
      'credentials.test.ts: a session cookie has one reading',
      'credentials.test.ts: the precedence is Kratos’s',
      'credentials.test.ts: the authorizer hides no second one behind thousands of headers',
      'sessions.test.ts: takes the cookie before the bearer, as Kratos does',
    ],
    without: 'the application acts for another person than the one who was verified',
  },
  {
    id: 7,
    attack: 'Forged `X-User-*`, and `X_User_Id`, `X.User.Id`, `x-user-id` twice, in trailers, behind odd line ends',
    precedent: 'CVE-2025-64484',
    defence:
      'Envoy removes every spelling before anything else, on every route; the authorizer removes or sets each name as well',
    where: ['src/generate/envoy/header-stripping.ts', 'src/check/response/answer.ts'],
    tests: [
      'headers.test.ts: a forged identity never arrives',
      'headers.test.ts: nor %s, on a rule that asks nobody',
      'headers.test.ts: the authorizer removes them by itself',
      'grpc-application.test.ts: brings no identity in its trailers',
    ],
    without: 'a client is whoever it says it is',
  },
  {
    id: 8,
    attack: '`Connection: X-User-Id` takes the identity away on the way to the application',
    precedent: 'GHSA-w9mr-28mw-j8hg',
    defence:
      'Envoy obeys and drops `Connection` before the identity is set; on a WebSocket, where it goes on, it may name nothing',
    where: ['src/generate/envoy/routes.ts'],
    tests: ['headers.test.ts: Connection takes no identity away', 'headers.test.ts: nor does that of a WebSocket'],
    without: 'an application takes a logged-in request for an anonymous one',
  },
  {
    id: 9,
    attack:
      'Trust in `X-Forwarded-*`, `X-Original-*`, `X-Envoy-Original-Path`, method overrides, and in the edge’s own wire',
    precedent: 'CVE-2026-33495, CVE-2023-27487',
    defence: 'They decide nothing, and are removed before an application could believe them',
    where: [
      'src/generate/envoy/header-stripping.ts',
      'src/generate/envoy/listener.ts',
      'src/check/request/header-lines.ts',
    ],
    tests: [
      'headers.test.ts: changes no verdict',
      'headers.test.ts: none of them reaches an application that would believe it',
      'headers.test.ts: the authorizer’s own wire is not spoken by clients',
    ],
    without: 'a request is judged as one and served as another',
  },
  {
    id: 10,
    attack: 'CR, LF, NUL and other alphabets in traits and claims that become headers',
    precedent: 'CVE-2023-27493',
    defence: 'Every byte outside of printable ASCII is percent-encoded',
    where: ['src/check/response/identity-headers.ts'],
    tests: ['answers.test.ts: what a person writes into a trait is one header of printable ASCII'],
    without: 'a person writes headers of the edge',
  },
  {
    id: 11,
    attack: 'Fail-open: a check that is malformed, throws, cannot be answered or finds nobody to ask',
    precedent: 'CVE-2024-23324',
    defence: 'Whatever is unexpected is a denial, in the check, in the answer and in Envoy',
    where: [
      'src/check/check.ts',
      'src/check/response/answer.ts',
      'src/check/identity/kratos.ts',
      'src/generate/envoy/filters.ts',
    ],
    tests: [
      'answers.test.ts: whatever throws inside of a check is a denial',
      'answers.test.ts: a yes that cannot be believed or written is a no',
      'answers.test.ts: with the authorizer gone nobody gets in',
      'answers.test.ts: bytes that are no check are no yes',
    ],
    without: 'a crash lets everybody in',
  },
  {
    id: 12,
    attack: 'A decision that is cached without its rule',
    precedent: 'CVE-2021-32701',
    defence:
      'The authorizer remembers identities, never verdicts: each check runs its own rule. Envoy remembers a yes under its rule and credential alone (row 35)',
    where: ['src/check/decide.ts', 'src/check/identity/cache/memory.ts'],
    tests: [
      'cache.test.ts: a session that one rule let in is judged anew by each other rule',
      'cache.test.ts: a token that one rule let in is judged anew by each other rule',
    ],
    without: 'one yes opens every rule',
  },
  {
    id: 13,
    attack: 'A cache key that lacks the kind, or is cut short',
    precedent: 'CVE-2026-33496, CVE-2026-35030',
    defence: 'The key is the whole SHA-256 over kind and value; another Ory has another cache',
    where: ['src/check/identity/cache/memory.ts', 'src/server/policies.ts'],
    tests: [
      'cache.test.ts: a credential of one kind never stands for one of another',
      'cache.test.ts: two that share a long beginning are two',
    ],
    without: 'one person’s credential opens another’s session',
  },
  {
    id: 14,
    attack: 'Revoked but remembered; an answer under way, or an outage, that brings a session back',
    precedent: 'CVE-2021-41230',
    defence:
      'Lifetimes count from before the call, end with the session, and a no of Ory ends what is stale; revocations are numbered, and nothing that was asked for before one is used after it; then the edge caches are emptied',
    where: [
      'src/check/identity/cache/memory.ts',
      'src/check/identity/cache/revocations.ts',
      'src/server/authorizer.ts',
    ],
    tests: [
      'cache.test.ts: a session that ended is used for no longer than cache.ttl after its last check',
      'cache.test.ts: an answer that was under way when the session ended does not bring it back',
      'cache.test.ts: an outage brings back no session that Kratos has said no to',
      'cache.test.ts: nor one that is past its own end',
      'revocation.test.ts: a session that was revoked is asked about by the next request',
      'revocation.test.ts: a check after the revocation does not go by a call from before it',
      'revocation.test.ts: what a call from before the revocation answers is remembered by no edge cache',
      'revocation.test.ts: what Envoy remembers of a session is gone when its revocation is answered',
      'revocation.test.ts: a request that was under way does not bring it back to Envoy',
    ],
    without: 'a stolen session outlives its revocation',
  },
  {
    id: 15,
    attack: 'The memory of refusals: an outage remembered as a no, a million random tokens',
    defence: 'Only Ory’s own no is remembered, up to a bound of its own that pushes out no identity',
    where: ['src/check/identity/cache/memory.ts', 'src/check/identity/kratos.ts'],
    tests: [
      'cache.test.ts: a status of %d is no verdict, and is not remembered',
      'cache.test.ts: garbage is remembered up to a bound of its own',
      'load.test.ts: a hundred thousand random cookies leave memory flat',
    ],
    without: 'garbage locks people out, or fills the memory',
  },
  {
    id: 16,
    attack: 'Web cache deception: an answer of the edge that a cache keeps',
    precedent: 'Gil 2017',
    defence: 'Every answer of the edge’s own is `no-store`',
    where: ['src/check/response/denial.ts', 'src/generate/envoy/local-replies.ts'],
    tests: [
      'answers.test.ts: no cache keeps an answer of the edge',
      'answers.test.ts: nor one of the authorizer’s',
      'answers.test.ts: nor one of Envoy’s own',
    ],
    without: 'a cache serves one client’s denial or redirect to others',
  },
  {
    id: 17,
    attack: '`alg: none`, RS to HS confusion, `crit`, `b64: false`, `zip`',
    precedent: 'CVE-2022-23540, CVE-2025-59420',
    defence: 'Asymmetric algorithms alone, each by a key that is for it; members that must be understood are refused',
    where: ['src/check/identity/jws.ts', 'src/check/identity/jwt.ts', 'src/check/identity/jwks.ts'],
    tests: ['tokens.test.ts: no token chooses how it is verified'],
    without: 'a published key, or nothing, signs tokens',
  },
  {
    id: 18,
    attack: 'ES256 signatures of zeros, in DER, of a wrong length',
    precedent: 'CVE-2022-21449',
    defence: 'Every signature is verified, in the one form that JWS has',
    where: ['src/check/identity/jwt.ts'],
    tests: ['tokens.test.ts: a signature is 64 bytes that are the key’s'],
    without: 'a token without a right signature is taken',
  },
  {
    id: 19,
    attack: '`jwk`, `jku`, `x5u`, `x5c` in the header of a token',
    precedent: 'CVE-2018-0114',
    defence: 'Such a token is refused before any key is looked up; nothing is fetched but the configured JWKS',
    where: ['src/check/identity/jws.ts'],
    tests: ['tokens.test.ts: a token brings no key, and sends nobody anywhere to fetch one'],
    without: 'a token brings the key that it is verified with',
  },
  {
    id: 20,
    attack: 'A flood of unknown key ids',
    defence: 'One fetch in a cooldown, shared by all that wait; the keys at hand stay',
    where: ['src/check/identity/jwks.ts'],
    tests: ['cache.test.ts: whoever invents key ids drives the issuer once in a cooldown'],
    without: 'an attacker drives the issuer, or loses it its keys',
  },
  {
    id: 21,
    attack: 'The issuer’s keys cannot be had',
    precedent: 'CVE-2026-31837',
    defence: 'The last good keys for an hour, then closed; an unknown key is an outage meanwhile, and never a yes',
    where: ['src/check/identity/jwks.ts'],
    tests: [
      'cache.test.ts: with the issuer away its known keys go on, and nobody’s key becomes one',
      'cache.test.ts: the last good keys are used for an hour, and not for longer',
    ],
    without: 'an attacker who can silence the issuer keeps a removed key alive',
  },
  {
    id: 'filter-files',
    attack:
      'Keys and script on their way to Envoy: a key that outlives its removal there, a key that the authorizer would not use, a revocation that is believed and was not taken, a file that somebody else writes',
    defence:
      'Envoy has the authorizer’s own keys, and none where it refuses them; a revocation is answered when every worker has other content, else it is an error that is tried again; the folder is the authorizer’s alone',
    where: [
      'src/edge/fed-file.ts',
      'src/edge/filter-feed.ts',
      'src/generate/envoy/filter-files.ts',
      'src/check/identity/jwks.ts',
    ],
    tests: [
      'filter-files.test.ts: ends what every worker remembers before it is answered',
      'filter-files.test.ts: is not answered before the last worker has forgotten',
      'filter-files.test.ts: that Envoy is not there for is an error, and the next Envoy begins with nothing',
      'filter-files.test.ts: is no Envoy that was emptied',
      'filter-files.test.ts: is not gone by in part: keys that it refuses leave it none, so that the authorizer is asked',
      'filter-files.test.ts: that others may write is refused',
      'filter-files.test.ts: has no keys and no memory for an Envoy of the configuration before',
      'envoy-config-keys.test.ts: is asked about where it is none for Envoy: short, for encryption, or one of two with its kid',
      'envoy-config-keys.test.ts: an issuer that is silent at the start means that the authorizer is asked',
      'src/check/identity/jwks-watch.test.ts: is told of a new key by the check that finds it, without a timer',
      'src/check/identity/jwks-watch.test.ts: is told of the silence even while the last fetch hangs',
    ],
    without: 'a removed key, or a session that was revoked, opens the door for as long as Envoy runs',
  },
  {
    id: 22,
    attack: 'An ID, refresh or logout token, or one of another issuer or audience, used as an access token',
    defence: 'Kind, issuer, audience and times are judged strictly, by type and byte for byte',
    where: ['src/check/identity/jwt.ts', 'src/check/decide.ts'],
    tests: ['tokens.test.ts: what is no access token for here is refused'],
    without: 'a token that a person gave to one application opens another',
  },
  {
    id: 23,
    attack: 'base64url malleability: padding, other alphabets, bits left over',
    precedent: 'jose 6.2.18 takes some',
    defence: 'Strict base64url before anything is decoded',
    where: ['src/check/identity/jws.ts'],
    tests: ['tokens.test.ts: a token has one spelling, so that what is remembered of it cannot be evaded'],
    without: 'a denied or remembered token has another spelling that is neither',
  },
  {
    id: 24,
    attack: 'An AAL1 session where AAL2 is wanted, an old login where a recent one is, by way of the cache as well',
    precedent: 'CVE-2024-45042',
    defence:
      'The level and the time of the login are judged by the rule on each check; what is not enough is asked about anew',
    where: ['src/check/decide.ts', 'src/check/check.ts'],
    tests: [
      'cache.test.ts: a second factor is what Kratos calls aal2 and nothing else',
      'cache.test.ts: a first factor that is remembered is never a second one',
      'cache.test.ts: a login is recent where Kratos says when it was',
    ],
    without: 'a stolen password is enough where a second factor is asked for',
  },
  {
    id: 25,
    attack: 'JWE, zip bombs, tokens and headers that are too long or too deep',
    precedent: 'CVE-2024-28176',
    defence: 'Five parts are no access token, and sizes are bounded before anything is parsed',
    where: ['src/check/identity/jws.ts', 'src/check/identity/jwt.ts', 'src/check/credential/extract.ts'],
    tests: ['tokens.test.ts: what is too long or in five parts is not parsed'],
    without: 'a token costs more to refuse than to make',
  },
  {
    id: 26,
    attack:
      'Open redirect by `return_to`, by the host, or by what Kratos is made to say (`//evil`, `/\\evil`, `https:evil`, control characters)',
    precedent: 'CVE-2020-11053, CVE-2020-5233',
    defence: 'The way back is on the edge’s origin, or the host that the rule names, as one encoded value',
    where: ['src/check/response/navigation.ts', 'src/check/identity/kratos.ts'],
    tests: [
      'answers.test.ts: a redirect leads to the login, and back to the edge',
      'answers.test.ts: what Kratos says of a second factor is followed only as an address',
    ],
    without: 'a login ends on an attacker’s page',
  },
  {
    id: 27,
    attack: 'Cookie tossing and prefix confusion (`ory_session_x` of a sibling domain, `__Host-`)',
    defence:
      'Only configured names, whole; the first of them that is present counts, two under one pattern are refused',
    where: ['src/check/credential/cookie.ts'],
    tests: ['credentials.test.ts: only configured names count, in their order'],
    without: 'a sibling domain logs a person in as somebody else',
  },
  {
    id: 28,
    attack: 'A CORS preflight as a way in',
    defence:
      'Only OPTIONS with an origin, one method and no credential is one; it has no identity, and only a named page’s passes',
    where: ['src/check/request/header-lines.ts', 'src/check/check.ts'],
    tests: ['answers.test.ts: only a real preflight passes, and as nobody'],
    without: 'two headers open every rule',
  },
  {
    id: 30,
    attack: 'Credentials in logs, statistics and error bodies',
    precedent: 'CVE-2024-39315',
    defence: 'Access log without query and credentials, errors without messages, answers without what was sent',
    where: ['src/generate/envoy/access-log.ts', 'src/check/check.ts', 'src/check/identity/ory-client.ts'],
    tests: ['answers.test.ts: a credential is in no log, no answer and no label'],
    without: 'whoever reads the log is everybody in it',
  },
  {
    id: 31,
    attack: 'Log injection',
    precedent: 'CVE-2024-45808',
    defence: 'One line of JSON an event, on both sides',
    where: ['src/generate/envoy/access-log.ts', 'src/cli/log.ts'],
    tests: ['answers.test.ts: an event is one line of JSON, whatever a client writes'],
    without: 'a client writes events that did not happen',
  },
  {
    id: 32,
    attack: 'YAML bombs and deep nesting in the configuration',
    defence: 'Size, depth and aliases are bounded, no tag makes anything, no key comes twice',
    where: ['src/config/document.ts', 'src/config/load.ts'],
    tests: ['configuration.test.ts: is a fault, in bounded time'],
    without: 'a file keeps the start busy for ever, or says something else than it reads',
  },
  {
    id: 33,
    attack:
      'Revocation by who may not: a token that is guessed, byte by byte from the time too, a web page, a body without an end',
    defence:
      'A bearer of 16 characters at least, compared by digest and in constant time before anything of the body is read; bodies are bounded in bytes and time',
    where: ['src/admin/revoke.ts', 'src/admin/revocation-body.ts', 'src/config/schema.ts'],
    tests: [
      'revocation.test.ts: without the token nobody is forgotten',
      'revocation.test.ts: by way of the edge nobody reaches it',
      'revocation.test.ts: a body without an end is cut off',
    ],
    without: 'anybody makes Ory be asked about everything, again and again',
  },
  {
    id: 34,
    attack: 'An admin port that clients of the data plane reach, or a web page by way of a person’s machine',
    defence:
      'Ports of their own, on loopback by default; Envoy’s is for reading alone, the authorizer’s serves health, and revocations to who has the token',
    where: ['src/generate/envoy/emit.ts', 'src/admin/admin.ts', 'src/config/schema.ts'],
    tests: [
      'answers.test.ts: who can reach the edge reaches no admin port of it',
      'answers.test.ts: all of them are on loopback where the file does not say otherwise',
    ],
    without: 'a page that somebody visits ends the edge, or makes it log credentials',
  },
  {
    id: 35,
    attack:
      'The edge cache: empty credentials, one that script and authorizer read differently, a denial with a yes’s words, another rule’s yes, a yes after its time, spellings that fill memory, paths and preflights on a primed session',
    defence:
      'The authorizer gives a lifetime only for the very rule and credential that were looked up; the script looks at plain requests alone, counts from before the check, clamps, and is bounded in bytes; an error in it is a check',
    where: [
      'src/generate/envoy/edge-cache.lua',
      'src/generate/envoy/edge-cache.ts',
      'src/check/response/edge-cache.ts',
      'src/check/decide.ts',
    ],
    tests: [
      'remembered.test.ts: nobody is the victim without its credential',
      'remembered.test.ts: beside another credential a remembered one is judged anew',
      'remembered.test.ts: under another rule, on another path and before a request it is no answer',
      'edge-cache/credentials.test.ts: a cookie with two readings comes out as without an edge cache',
      'edge-cache/answers.test.ts: a denial that carries a yes’s words is none',
      'edge-cache/answers.test.ts: a lifetime counts from before the check',
      'edge-cache/bounds.test.ts: a full cache keeps what was used last',
      'edge-cache/streams.test.ts: the key never goes on',
      'edge-cache/clock.test.ts: everything is forgotten when the time of day goes back',
      'edge-cache/faults.test.ts: an error at any statement changes no answer',
      'edge-cache/property.test.ts: generated sequences come to the same',
    ],
    without: 'one person is served as another, or for longer than was said',
  },
  {
    id: 'native',
    attack:
      'Anything that makes Envoy pass the authorizer over where it would have said no, or somebody else: two readings of `Authorization`, a hidden session, tokens that `jwt_authn` takes and the authorizer does not, claims that become headers',
    precedent: 'CVE-2023-27491 and what jwt_authn takes (docs/native.md)',
    defence:
      'Shadow rules over what was verified, as strict as the authorizer; whatever they do not say yes to is asked, and what the answer does not set is removed',
    where: ['src/generate/envoy/native-yes.ts', 'src/generate/plan.ts', 'src/check/response/answer.ts'],
    tests: [
      'native.test.ts: a token that the authorizer refuses is asked about',
      'native.test.ts: an Authorization that can be read in two ways is asked about',
      'native.test.ts: a session that would count first is not passed over',
      'native.test.ts: an identity that is no plain text is asked about',
      'native.test.ts: a token that the rule does not take is asked about',
      'native.test.ts: nothing of a token that did not count reaches the application',
    ],
    without: 'a token, or a part of one, is taken for more than it is, and no authorizer sees it',
  },
  {
    id: 'introspection',
    attack:
      'Opaque tokens: another parameter in the form, refresh and ID tokens, answers that are none, sessions and JWTs sent about',
    defence:
      'One encoded value, alone; only `active: true` of an access token for here is a yes; only what is Hydra’s own is sent to it',
    where: [
      'src/check/identity/introspection.ts',
      'src/check/identity/access-token.ts',
      'src/check/identity/ory-client.ts',
    ],
    tests: [
      'opaque.test.ts: the token is one value of the form, and the only one',
      'opaque.test.ts: only an active access token for here is a yes',
      'opaque.test.ts: an answer that is none is an outage, and is not remembered',
      'opaque.test.ts: nobody but Hydra’s own tokens are asked about',
      'opaque.test.ts: a token is remembered no longer than it lives',
    ],
    without: 'a refresh token, or a forged JWT that Hydra does not look at, opens the door',
  },
  {
    id: 'method',
    attack: 'A method in other case (`delete`), which HTTP/2 carries and some applications fold',
    defence: 'Methods of capitals and hyphens alone; with any other there are two readings',
    where: ['src/check/request/normalise.ts', 'src/generate/envoy/routes.ts'],
    tests: [
      'paths.test.ts: a method that an application could take for another is refused',
      'paths.test.ts: the authorizer refuses it by itself',
      'connections.test.ts: a method that is not in capitals reaches nobody, on an open rule either',
    ],
    without: 'a rule for DELETE is passed as a rule for everything else',
  },
  {
    id: 'any-of',
    attack: 'A credential that two alternatives of one rule read differently',
    defence: 'What a bearer is follows from the rule’s alternatives and `ory_st_` alone, so each is read in one way',
    where: ['src/check/credential/extract.ts', 'src/check/check.ts'],
    tests: [
      'credentials.test.ts: a credential is read in one way only',
      'credentials.test.ts: no verifier is asked about what the other one takes',
    ],
    without: 'a session token is sent about as an access token',
  },
  {
    id: 'identify',
    attack: 'An identity where nobody was told, on a rule that lets everyone in',
    defence: 'Without one good credential the request is anonymous, and carries no identity header',
    where: ['src/check/check.ts', 'src/check/response/answer.ts'],
    tests: [
      'credentials.test.ts: who cannot be told is nobody',
      'credentials.test.ts: an outage of Ory identifies nobody',
    ],
    without: 'an open page takes a stranger for a person',
  },
  {
    id: 'scopes',
    attack: 'Scopes that are nearly there: a part of a word, other blanks, other alphabets, other types',
    defence: 'Whole words, between spaces or in a list, compared byte for byte',
    where: ['src/check/identity/claims.ts', 'src/check/decide.ts'],
    tests: ['tokens.test.ts: a scope is a whole word'],
    without: 'a token for little is one for much',
  },
  {
    id: 'claims',
    attack: 'Claims of another type (`1` and `"1"`), in lists of lists, at `__proto__` and `constructor`',
    defence: 'Own members alone, compared with type',
    where: ['src/check/identity/claims.ts', 'src/check/decide.ts'],
    tests: [
      'tokens.test.ts: a claim has the value and the type that the rule says',
      'tokens.test.ts: what every object inherits is no claim',
    ],
    without: 'a claim that an issuer never made is found',
  },
  {
    id: 'smuggling',
    attack: 'Request smuggling: two lengths, two encodings, broken chunks, a request behind a refused upgrade',
    precedent: 'CVE-2019-18801, CVE-2020-8663',
    defence: 'Envoy’s codec, which refuses what has two ends; each request on a connection is judged by itself',
    where: ['src/generate/envoy/listener.ts'],
    tests: [
      'connections.test.ts: a body with two ends is refused whole',
      'connections.test.ts: what comes behind a request is a request, and is judged',
      'connections.test.ts: a refused upgrade leaves no tunnel behind it',
    ],
    without: 'a request hides in another’s body',
  },
  {
    id: 'http2-fields',
    attack:
      'HTTP/2 fields that HTTP/1 reads as something else: two `:path`, line breaks, capitals, `connection`, `host` beside `:authority`',
    precedent: 'CVE-2021-32777 and the HTTP/2 downgrades of 2021',
    defence: 'Envoy’s codec; hosts that are none are refused before every rule',
    where: ['src/generate/envoy/routes.ts'],
    tests: [
      'connections.test.ts: what HTTP/1 would read as something else is refused',
      'connections.test.ts: a Host without an authority is the host',
    ],
    without: 'one field becomes two headers',
  },
  {
    id: 'size',
    attack: 'Headers without end: many, long, slow',
    defence: 'Bounds in Envoy that are met before the authorizer’s own',
    where: ['src/generate/envoy/listener.ts', 'src/server/http.ts'],
    tests: [
      'connections.test.ts: more than Envoy takes is refused before anybody is asked',
      'connections.test.ts: a request that never ends is cut off, and others are served meanwhile',
    ],
    without: 'a slow client holds a connection for ever, and a long header hides a credential',
  },
];

/** The title of the tests of one class: its name and its precedent. */
export function attack(id: number | string): string {
  const found = CLASSES.find((one) => one.id === id);
  if (!found) throw new Error(`no class of attacks is called ${id}`);
  return `class ${id}: ${found.attack}${found.precedent === undefined ? '' : ` (${found.precedent})`}`;
}
