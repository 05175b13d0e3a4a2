// Sessions near what a rule asks for: what Kratos answers about a credential, and what a generator changes in it. No I/O.
import fc from 'fast-check';
import type { Config, SessionRequirement } from '../../src/config/config.ts';
import { oddValue, setAt, VALUE_COUNT } from './values.ts';

export interface SessionIntent {
  readonly identity: readonly number[];
  readonly changes: readonly { readonly change: Change; readonly n: number }[];
}

/** What Kratos answers; status 0 ends the connection without an answer. */
export interface KratosAnswer {
  readonly status: number;
  readonly body: string;
}

interface Draft {
  status: number;
  session: Record<string, unknown>;
  /** Instead of the session. */
  body: string | undefined;
}

interface Around {
  readonly nowMs: number;
  readonly requirement: SessionRequirement | undefined;
}

const pick = <T>(values: readonly T[], n: number): T => values[n % values.length] as T;
const at = (ms: number) => new Date(ms).toISOString();

const CHANGES = {
  aal(d, n) {
    d.session['authenticator_assurance_level'] = pick<unknown>(['aal1', 'aal2', 'aal0', 'AAL2', null, undefined, 2], n);
  },
  age(d, n, { nowMs, requirement }) {
    const max = requirement?.maxAgeMs ?? 900_000;
    const near = [at(nowMs - max - 8_000), at(nowMs - max + 8_000), at(nowMs - 10 * max), at(nowMs + 60_000)];
    d.session['authenticated_at'] = pick<unknown>([...near, undefined, null, 'x', 5], n);
  },
  inactive(d) {
    d.session['active'] = false;
  },
  expired(d, n, { nowMs }) {
    d.session['expires_at'] = pick<unknown>([at(nowMs - 8_000), at(nowMs + 8_000), undefined, null, 'x', 5], n);
  },
  state(d, n) {
    setAt(d.session, ['identity', 'state'], pick<unknown>(['inactive', 'active', null, 1], n));
  },
  identity(d, n) {
    d.session['identity'] = pick<unknown>([undefined, null, {}, { id: '' }, { id: 1 }, 'x'], n);
  },
  answer(d, n) {
    Object.assign(d, pick(ANSWERS, n));
  },
  traits(d, n) {
    setAt(d.session, ['identity', 'traits'], pick<unknown>([null, 'x', [], {}, undefined], n));
  },
  address(d, n) {
    const unverified = [{ via: 'email', verified: false, value: 'a@b' }];
    const phone = [{ via: 'sms', verified: true, value: '1' }];
    setAt(d.session, ['identity', 'verifiable_addresses'], pick<unknown>([undefined, null, [], unverified, phone], n));
  },
  large(d) {
    setAt(d.session, ['identity', 'traits', 'email'], 'x'.repeat(17_000));
  },
} satisfies Record<string, (draft: Draft, n: number, around: Around) => void>;

const AAL2_URL = 'https://kratos.test/self-service/login/browser?aal=aal2';
const ANSWERS: readonly Partial<Draft>[] = [
  { status: 401, body: '{"error":{"code":401}}' },
  { status: 403, body: JSON.stringify({ error: { id: 'session_aal2_required' }, redirect_browser_to: AAL2_URL }) },
  { status: 403, body: '{"error":{"id":"session_aal2_required"}}' },
  { status: 403, body: '{"error":{"id":"other"}}' },
  { status: 429, body: '{}' },
  { status: 429, body: '' },
  { status: 500, body: 'oops' },
  { status: 200, body: '<html>' },
  { status: 200, body: '{}' },
  { status: 0, body: '' },
  { status: 0, body: '' },
];

type Change = keyof typeof CHANGES;

export const sessions: fc.Arbitrary<SessionIntent> = fc.record({
  identity: fc.array(fc.nat(VALUE_COUNT - 1), { maxLength: 4 }),
  changes: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.record({
          change: fc.constantFrom(...(Object.keys(CHANGES) as Change[]), 'answer', 'answer', 'age', 'aal'),
          n: fc.nat(63),
        }),
        { minLength: 1, maxLength: 2 },
      ),
    },
  ),
});

export function makeSession(intent: SessionIntent, config: Config, around: Around, unique: string): KratosAnswer {
  const { nowMs, requirement } = around;
  const draft: Draft = {
    status: 200,
    body: undefined,
    session: {
      id: `session-${unique}`,
      active: true,
      expires_at: at(nowMs + 3_600_000),
      authenticated_at: at(nowMs - 10_000),
      authenticator_assurance_level: requirement?.aal ?? 'aal1',
      identity: {
        id: `identity-${unique}`,
        state: 'active',
        traits: { email: `${unique}@acme.test` },
        verifiable_addresses: [{ via: 'email', verified: true, value: `${unique}@verified.test` }],
      },
    },
  };
  const sources = config.identityHeaders.flatMap(({ sources }) => sources.filter(({ kind }) => kind === 'session'));
  for (const [i, { path }] of sources.entries()) {
    const n = intent.identity[i];
    if (n !== undefined && path.includes('traits')) setAt(draft.session, path, oddValue(n, `${unique}-${i}`));
  }
  for (const { change, n } of intent.changes) CHANGES[change](draft, n, around);
  return { status: draft.status, body: draft.body ?? JSON.stringify(draft.session) };
}
