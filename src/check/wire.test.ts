import { expect, test } from 'vitest';
import { faultsOf, SMALLEST } from '../config/testing/faults-of.ts';
import { WIRE, wireIdentity } from './wire.ts';

/** As an identity header each would be written over a word of the authorizer's: as it is, or behind `ory-`. */
const COLLIDING = Object.values(WIRE).flatMap((word) => [word, word.replace(/^ory-/, '')]);

test.each(COLLIDING)('%s is not a name for an identity, for it is a word between authorizer and Envoy', (name) => {
  expect([name, wireIdentity(name)].some((one) => Object.values<string>(WIRE).includes(one))).toBe(true);
  expect(faultsOf(`${SMALLEST}identity_headers: { ${name}: [token.sub] }\n`)).toEqual([
    expect.stringContaining(`"${name}" has a meaning of its own`),
  ]);
});
