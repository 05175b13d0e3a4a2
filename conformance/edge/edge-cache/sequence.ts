// Sequences of requests and of what happens meanwhile, as a generator makes them. No I/O.
import fc from 'fast-check';
import type { Lines, Protocol } from '../rig/client.ts';

/** Whose credential, where, and how it is written. */
interface Presented {
  readonly who: number;
  readonly place: 'cookie' | 'header' | 'bearer';
  readonly spelling: number;
}

export interface RequestStep {
  readonly kind: 'request';
  readonly path: string;
  readonly presented: readonly Presented[];
  readonly protocol: Protocol;
  /** Whether the last line comes first. */
  readonly turned: boolean;
  readonly method: string;
}

export type Trouble = 'none' | 'internal error' | 'no answer' | 'slow';

type Step =
  | RequestStep
  /** A session or a token ends at Ory; another of the same person takes its place. */
  | { readonly kind: 'end'; readonly who: number }
  | { readonly kind: 'trouble'; readonly trouble: Trouble }
  | { readonly kind: 'pause'; readonly ms: number };

/** What happens at one time: the requests together, and the rest while they are on their way. */
export type Round = readonly Step[];

/** Sessions of aal1 and of aal2, opaque tokens, JWTs: `who` counts through them. */
export const PEOPLE = 14;
export const SESSIONS = 8;

const PATHS = [
  ...['/admin/x', '/admin/x', '/admin/y', '/admin/x', '/admin/x', '/admin/x', '/admin/x', '/web/x', '/second/x'],
  ...['/mixed/x', '/mixed/x', '/mixed/x', '/turned/x', '/turned/x', '/api/x', '/api/x', '/home', '/home', '/slow/x'],
  ...['/recent/x', '/admin/x', '/mixed/x', '/mixed/x'],
  ...['/public/x', '/nowhere', '/admin/..;/x', '/other/x'],
];

/** A few ask most of the time, so that much is remembered. */
const who = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 8, 12) },
  { weight: 1, arbitrary: fc.nat(PEOPLE - 1) },
);

const presented: fc.Arbitrary<Presented> = fc.record({
  who,
  place: fc.constantFrom('cookie', 'cookie', 'header', 'bearer', 'bearer'),
  // Plain ones more often than not.
  spelling: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(19) }),
});

/** Where a session is of use, and where a token is. */
const FITTING = {
  session: ['/admin/x', '/admin/x', '/admin/y', '/web/x', '/mixed/x', '/home'],
  token: ['/api/x', '/api/x', '/mixed/x', '/turned/x', '/home'],
};

const choices = fc.record({
  kind: fc.constant('request' as const),
  path: fc.constantFrom(...PATHS),
  fits: fc.constantFrom(true, true, true, false),
  n: fc.nat(59),
  presented: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 12, arbitrary: presented.map((one) => [one]) },
    { weight: 3, arbitrary: fc.array(presented, { minLength: 2, maxLength: 3 }) },
  ),
  protocol: fc.constantFrom<Protocol>('HTTP/1.1', 'HTTP/2'),
  turned: fc.boolean(),
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'OPTIONS'),
});

const request: fc.Arbitrary<RequestStep> = choices.map(({ fits, n, ...step }) => {
  const [first, ...rest] = step.presented;
  if (!fits || !first) return step;
  const isToken = first.who >= SESSIONS;
  const paths = FITTING[isToken ? 'token' : 'session'];
  const place = isToken ? 'bearer' : first.place;
  return { ...step, path: paths[n % paths.length] ?? step.path, presented: [{ ...first, place }, ...rest] };
});

const trouble = fc.constantFrom<Trouble>('none', 'none', 'none', 'none', 'internal error', 'no answer', 'slow', 'slow');

const meanwhile: fc.Arbitrary<readonly Step[]> = fc.tuple(
  fc.integer({ min: 0, max: 300 }).map((ms): Step => ({ kind: 'pause', ms })),
  fc.oneof(
    { weight: 3, arbitrary: who.map((one): Step => ({ kind: 'end', who: one })) },
    { weight: 1, arbitrary: trouble.map((one): Step => ({ kind: 'trouble', trouble: one })) },
  ),
);

export const rounds: fc.Arbitrary<Round> = fc
  .tuple(fc.array(request, { minLength: 20, maxLength: 160, size: 'max' }), fc.option(meanwhile, { nil: [], freq: 2 }))
  .map(([requests, events]) => [...requests, ...events]);

/** The lines of a request; `credentialOf` has the credential of a person. */
export function linesOf({ presented, turned, protocol }: RequestStep, credentialOf: (who: number) => string): Lines {
  const lines = presented.flatMap((one) => written(one, credentialOf(one.who)));
  // A client of HTTP/2 in Node sends one Authorization.
  const names = lines.map(([name]) => name.toLowerCase());
  const sendable =
    protocol === 'HTTP/2'
      ? lines.filter(([name], i) => names.indexOf(name.toLowerCase()) === i || name === 'cookie')
      : lines;
  return turned ? [...sendable].reverse() : sendable;
}

function written({ place, spelling }: Presented, value: string): Lines {
  switch (place) {
    case 'cookie':
      return cookieLines(COOKIES[spelling % COOKIES.length] ?? COOKIES[0], value);
    case 'header':
      return [['X-Session-Token', (TOKENS[spelling % TOKENS.length] ?? TOKENS[0])(value)]];
    case 'bearer':
      return [['Authorization', (BEARERS[spelling % BEARERS.length] ?? BEARERS[0])(value)]];
  }
}

function cookieLines(spell: (value: string) => readonly string[], value: string): Lines {
  return spell(value).map((line) => ['cookie', line] as const);
}

type Spell<T> = readonly [(value: string) => T, ...((value: string) => T)[]];

const COOKIES: Spell<readonly string[]> = [
  (v) => [`ory_kratos_session=${v}`],
  (v) => [`a=1; ory_kratos_session=${v}; b=2`],
  (v) => [`ory_session_project=${v}`],
  (v) => ['a=1', `ory_kratos_session=${v}`],
  (v) => [`a=1;ory_kratos_session=${v}`],
  (v) => [`ory_kratos_session=${v}; ory_kratos_session=${v}`],
  (v) => [`ory_kratos_session="${v}"`],
  (v) => [`x=ory_kratos_session=${v}`],
  (v) => [`ory_kratos_session=; ory_session_x=${v}`],
  (v) => [`ory_session_;x=${v}`],
  (v) => [`ory_kratos_session=${v}, b=2`],
  () => ['ory_kratos_session='],
  (v) => [`ory_kratos_session=x${v}`],
];

const TOKENS: Spell<string> = [(v) => v, (v) => `${v},`, () => '', (v) => `${v},${v}`, (v) => `${v} x`, (v) => `x${v}`];

const BEARERS: Spell<string> = [
  (v) => `Bearer ${v}`,
  (v) => `bearer ${v}`,
  (v) => `Bearer  ${v}`,
  () => 'Bearer ',
  () => '',
  (v) => `Bearer ${v}, Bearer ${v}`,
  (v) => `Bearer x${v}`,
  () => 'Basic eDp5',
];
