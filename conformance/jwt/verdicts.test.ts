// Our verifier, behind the whole check of a token rule, on every case that jwt_authn was asked about.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CASES } from './cases.ts';
import { differences } from './differences.ts';
import { RECORDED, type Recorded } from './measure.ts';
import { judge } from './verifier.ts';

const recorded = JSON.parse(readFileSync(RECORDED, 'utf8')) as Recorded;

test('every case has a name of its own, and was measured', () => {
  const names = CASES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(recorded.cases)).toEqual(names);
});

describe.each(['plain', 'generated'] as const)('jwt_authn as it is configured here: %s', (setting) => {
  const listed = differences(setting);

  test.each(CASES)('$name', async (one) => {
    const native = recorded.cases[one.name]?.[setting].yes ?? false;
    const reason = await judge(one);
    const difference = native === (reason === 'token') ? undefined : native ? 'accepts' : 'refuses';
    expect({ [one.name]: difference, reason }).toEqual({ [one.name]: listed.get(one.name)?.native, reason });
  });

  test('no difference is listed that is not one of the cases', () => {
    const names = new Set(CASES.map(({ name }) => name));
    expect([...listed.keys()].filter((name) => !names.has(name))).toEqual([]);
  });
});
