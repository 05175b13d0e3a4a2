// One seed for the random tests of a file: of the environment (SEED) or of chance, and said where a test fails. Vitest
// runs it before each file of the unit project.
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterEach } from 'vitest';

/** A 32-bit number. */
const SEED = Number(process.env['SEED'] ?? randomInt(2 ** 31));

fc.configureGlobal({ seed: SEED });

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${task.name}: ${saidSeed()}\n`);
});

/** For the message of a counter, which stands outside of any property. */
export function saidSeed(): string {
  return `the seed was ${fc.readConfigureGlobal().seed}; again with SEED=${fc.readConfigureGlobal().seed}`;
}
