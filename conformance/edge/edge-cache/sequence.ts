// Sequences of requests and of what happens meanwhile, as a generator makes them. No I/O.
import fc from 'fast-check';
import type { Lines, Protocol } from '../rig/client.ts';

/** Whose credential, where, and how it is written. */
interface Presented {
  readonly who: number;
  readonly place: 'cookie' | 'header' | 'bearer';
  readonly spelling: number;
}

/** One question and one answer, or what is more than that; `retried` fails once behind the edge, `mirrored` is copied. */
export const FORMS = ['plain', 'websocket', 'grpc', 'retried', 'mirrored', 'connect'] as const;
export type Form = (typeof FORMS)[number];

export interface RequestStep {
  readonly kind: 'request';
  readonly form: Form;
  /** Of a CONNECT: host and port. */
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

/** `who` counts through them. */
const PEOPLE = 14;
/** One more, who asks in {@link OPENING} alone. */
export const KEEPER = PEOPLE;

/** What they have: sessions of aal1 and of aal2, opaque tokens, JWTs. */
export function credentialKind(who: number): 'session' | 'opaque' | 'jwt' {
  if (who < 8 || who === KEEPER) return 'session';
  return who < 12 ? 'opaque' : 'jwt';
}

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

/** The paths of a form are no other's: by them the access log tells what was remembered of each. */
const PATHS_OF: Readonly<Record<Exclude<Form, 'plain'>, typeof FITTING>> = {
  websocket: { session: ['/admin/ws', '/admin/ws', '/mixed/ws', '/second/ws'], token: ['/api/ws', '/mixed/ws'] },
  grpc: both('/echo.Echo/Talk', '/echo.Echo/Talk', '/echo.Echo/Fail'),
  retried: both('/retried/x', '/retried/x', '/retried/y'),
  mirrored: both('/mirrored/x', '/mirrored/x', '/mirrored/y'),
  connect: both('app.test:443', 'admin.test:80'),
};

function both(...paths: string[]): typeof FITTING {
  return { session: paths, token: paths };
}

export function formOf(path: string): Form {
  const of = (form: Exclude<Form, 'plain'>) => Object.values(PATHS_OF[form]).some((paths) => paths.includes(path));
  return FORMS.find((form) => form !== 'plain' && of(form)) ?? 'plain';
}

/**
 * Asked one after the other where Ory answers and nobody's session ends: with two workers the third at the latest of a
 * form finds a yes remembered, where such a thing is.
 */
export const OPENING: readonly RequestStep[] = FORMS.flatMap((form) =>
  (['HTTP/1.1', 'HTTP/2'] as const).flatMap((protocol) =>
    Array.from({ length: 3 }, () =>
      shaped(form, 0, {
        kind: 'request',
        form,
        path: '/admin/x',
        presented: [{ who: KEEPER, place: 'header', spelling: 0 }],
        protocol,
        turned: false,
        method: 'GET',
      }),
    ),
  ),
);

function fitting(who: number): keyof typeof FITTING {
  return credentialKind(who) === 'session' ? 'session' : 'token';
}

/** As the form has it: path, method and protocol. */
function shaped(form: Form, n: number, step: RequestStep): RequestStep {
  if (form === 'plain') return step;
  const [first] = step.presented;
  const paths = PATHS_OF[form][fitting(first?.who ?? 0)];
  const path = paths[n % paths.length] ?? step.path;
  switch (form) {
    case 'websocket':
      // With another method it is none, and is refused.
      return { ...step, form, path, protocol: 'HTTP/1.1', method: n % 8 === 7 ? step.method : 'GET' };
    case 'grpc':
      return { ...step, form, path, protocol: 'HTTP/2', method: 'POST' };
    case 'connect':
      return { ...step, form, path, method: 'CONNECT' };
    default:
      return { ...step, form, path };
  }
}

const choices = fc.record({
  kind: fc.constant('request' as const),
  form: fc.oneof(
    { weight: 5, arbitrary: fc.constant<Form>('plain') },
    { weight: 2, arbitrary: fc.constantFrom(...FORMS) },
  ),
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
  if (!fits || !first) return shaped(step.form, n, step);
  const kind = fitting(first.who);
  const paths = FITTING[kind];
  const place = kind === 'token' ? 'bearer' : first.place;
  const useful = { ...step, path: paths[n % paths.length] ?? step.path, presented: [{ ...first, place }, ...rest] };
  return shaped(step.form, n, useful);
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
