// jwt_authn is measured again: what was recorded of it is still so on this Envoy.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { measure, RECORDED, type Recorded } from '../jwt/measure.ts';

test('Envoy says of every token case what was recorded (npm run jwt-verdicts)', async () => {
  const recorded = JSON.parse(readFileSync(RECORDED, 'utf8')) as Recorded;
  const measured = await measure();
  expect(JSON.parse(JSON.stringify(measured.cases))).toEqual(recorded.cases);
});
