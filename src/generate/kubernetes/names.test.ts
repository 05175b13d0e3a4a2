// Names that are valid, unique and the same from run to run.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLabel, Names } from './names.ts';

const given = (texts: readonly string[]) => {
  const names = new Names();
  return texts.map((text) => names.give(text));
};

test('a name that is one stays', () => {
  expect(given(['orders-read', 'a'])).toEqual(['orders-read', 'a']);
});

test('what differs in what a name cannot hold differs in its hash', () => {
  const [dotted, dashed, upper] = given(['api.acme.com', 'api-acme-com', 'API-acme-com']);
  expect(dashed).toBe('api-acme-com');
  expect(dotted).toMatch(/^api-acme-com-[0-9a-f]{8}$/);
  expect(upper).toMatch(/^api-acme-com-[0-9a-f]{8}$/);
  expect(dotted).not.toBe(upper);
});

test('two long ones with the same beginning are two', () => {
  const long = 'x'.repeat(70);
  const [one, other] = given([`${long}a`, `${long}b`]);
  expect([one?.length, other?.length]).toEqual([63, 63]);
  expect(one).not.toBe(other);
});

test('any texts: valid, unique, and what was given before does not change', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('a', 'A', 'a-', 'x'.repeat(64), ''))), (texts) => {
      const names = given(texts);
      expect(names.every(isLabel)).toBe(true);
      expect(new Set(names).size).toBe(names.length);
      expect(given(texts)).toEqual(names);
    }),
  );
});
