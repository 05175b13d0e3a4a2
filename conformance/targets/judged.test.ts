// What the matrix makes of a case: nothing passes for "not supported" that nobody has explained, and no yes too many.
import { describe, expect, it, vi } from 'vitest';
import type { Case } from '../../src/cli/cases/case.ts';
import type { SeenVerdict } from '../../src/cli/cases/verdict.ts';
import { ABILITIES_OF, type Abilities, type Feature } from '../../src/generate/abilities.ts';
import { type Cell, cellOf } from './cell.ts';
import { type Entry, judged, matrixText, unshown } from './matrix.ts';

vi.mock('../../src/generate/gaps.ts', () => ({
  GAPS: [
    { target: 'oathkeeper', case: 'a gap', lenient: true, why: 'it reads no such thing', issue: 'ory/oathkeeper#1' },
  ],
}));

const envoy = ABILITIES_OF.envoy;
Object.assign(ABILITIES_OF, {
  oathkeeper: { ...envoy, redirect: { kind: 'unsupported', why: 'it sends nobody back' } } satisfies Abilities,
});

const DIFFERS: Cell = { kind: 'differs', how: 'refused: 401', lenient: false };
const LENIENT: Cell = { kind: 'differs', how: 'it passed', lenient: true };
const PASS: Cell = { kind: 'pass', words: 'ours' };

function entry(found: Entry['found'], more: Partial<Entry> = {}): Entry {
  const place = { sheet: 's', case: 'c', column: 'oathkeeper', target: 'oathkeeper' } as const;
  return { ...place, needs: new Set(['redirect']), anyWords: false, apart: undefined, found, ...more };
}

describe('a case that differs', () => {
  it('is not supported where an ability that it needs is missing, with that reason', () => {
    expect(judged(entry(DIFFERS))).toEqual({ kind: 'not supported', reason: 'it sends nobody back' });
  });

  it('is a fault where nothing that it needs is missing', () => {
    expect(judged(entry(DIFFERS, { needs: new Set(['session']) })).kind).toBe('fault');
    expect(judged(entry(DIFFERS, { target: 'envoy' })).kind).toBe('fault');
  });

  it('is a fault where it lets somebody in, whatever is missing', () => {
    expect(judged(entry(LENIENT)).kind).toBe('fault');
    expect(judged(entry(LENIENT, { case: 'a gap', target: 'envoy' })).kind).toBe('fault');
  });

  it('is not supported where whoever is asked is away, unless it lets somebody in', () => {
    const away = { apart: 'it asks', needs: new Set<Feature>() };
    expect(judged(entry(DIFFERS, away))).toEqual({ kind: 'not supported', reason: 'it asks' });
    expect(judged(entry(LENIENT, away)).kind).toBe('fault');
  });

  it('and is a known gap where it stands in the list', () => {
    const reason = 'KNOWN GAP: it reads no such thing (ory/oathkeeper#1)';
    expect(judged(entry(LENIENT, { case: 'a gap' }))).toEqual({ kind: 'not supported', reason });
    expect(judged(entry(DIFFERS, { case: 'a gap', needs: new Set() })).kind).toBe('fault');
  });
});

it('a refusal in other words passes where no reason is expected, or where the abilities know of it', () => {
  const own: Cell = { kind: 'pass', words: 'own' };
  expect(judged(entry(own)).kind).toBe('fault');
  expect(judged(entry(own, { anyWords: true }))).toEqual({ kind: 'pass', own: true });
});

it('what is said not to be supported and passes is told', () => {
  const gap = entry(LENIENT, { case: 'a gap', needs: new Set() });
  expect(unshown([entry(DIFFERS), gap])).toEqual([]);
  expect(unshown([entry(PASS), gap])).toEqual([expect.stringContaining('"redirect" is supported after all')]);
  expect(unshown([entry(DIFFERS), entry(PASS, { case: 'a gap' })])).toEqual([expect.stringContaining('closed')]);
});

it('the matrix has a line for a case, and each reason once', () => {
  const refused = { kind: 'refused', why: 'the rule app: no' } as const;
  const text = matrixText([
    entry(PASS),
    entry(DIFFERS, { case: 'd' }),
    entry(DIFFERS, { case: 'e' }),
    entry(refused, { case: 'f', sheet: 't' }),
  ]);
  expect(text.split('\n')).toEqual([
    '# s  oathkeeper',
    'c    pass',
    'd    not supported [1]',
    'e    not supported [1]',
    '',
    '# t  oathkeeper',
    'f    not supported [2]',
    '',
    '[1] not supported: it sends nobody back',
    '[2] not supported: generate oathkeeper: the rule app: no',
    '',
  ]);
});

describe('a cell', () => {
  const one = (expect: Case['expect']): Case => ({
    name: 'c',
    line: 1,
    request: { method: 'GET', url: '/', host: 'a', target: '/', headers: [] },
    credential: undefined,
    expect,
  });
  const seen = (status: number, lines: SeenVerdict['headers'], more: Partial<SeenVerdict> = {}): SeenVerdict => ({
    kind: 'verdict',
    status,
    reason: undefined,
    rule: { kind: 'unseen' },
    headers: lines,
    ...more,
  });
  const identity = (...lines: [string, string][]) => ({ identity: ['X-User-Id'], lines });
  const ada = seen(200, identity(['x-user-id', 'ada']));

  const by = (engine: SeenVerdict | undefined) => ({ engine, anyStatus: false });

  it('passes with exactly the identity of the engine', () => {
    expect(cellOf(one({ status: 200 }), ada, by(ada))).toEqual(PASS);
    const forged = seen(200, identity(['x-user-id', 'ada'], ['x_user_id', 'admin']));
    expect(cellOf(one({ status: 200 }), forged, by(ada))).toMatchObject({ kind: 'differs', lenient: true });
    expect(cellOf(one({ status: 200 }), seen(200, identity()), by(ada))).toMatchObject({
      kind: 'differs',
      lenient: false,
    });
  });

  it('is lenient where the policy says no and it passed', () => {
    expect(cellOf(one({ status: 401 }), ada, by(undefined))).toMatchObject({ kind: 'differs', lenient: true });
  });

  it('takes a 401 in other words for a 403, and for no outage', () => {
    const own = seen(401, undefined, { note: 'in its own words' });
    expect(cellOf(one({ status: 403 }), own, by(undefined))).toEqual({ kind: 'pass', words: 'own' });
    expect(cellOf(one({ status: 503 }), own, by(undefined))).toMatchObject({ kind: 'differs' });
  });

  it('takes any refusal where the status is another’s', () => {
    const found = seen(401, undefined, { reason: 'token_expired' });
    expect(cellOf(one({ status: 403 }), found, by(undefined))).toMatchObject({ kind: 'differs' });
    expect(cellOf(one({ status: 403 }), found, { engine: undefined, anyStatus: true }).kind).toBe('pass');
    expect(cellOf(one({ status: 403 }), ada, { engine: undefined, anyStatus: true }).kind).toBe('differs');
  });

  it('holds the authorizer to its reason', () => {
    const found = seen(401, undefined, { reason: 'token_expired' });
    expect(cellOf(one({ reason: 'token_expired' }), found, by(undefined))).toEqual(PASS);
    expect(cellOf(one({ reason: 'session_invalid' }), found, by(undefined))).toMatchObject({ kind: 'differs' });
  });
});
