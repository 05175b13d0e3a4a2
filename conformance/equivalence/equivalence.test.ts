// Generated policies and requests, through a real Envoy and through the engine: one verdict. The long run is
// `npm run equivalence`.
import { expect, test } from 'vitest';
import { report } from './report.ts';
import { run } from './run.ts';

test('whatever Envoy decides and whatever it asks, the engine comes to the same', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  process.stdout.write(`equivalence: seed ${seed}\n`);
  const outcome = await run({ seed, requests: 8_000 });
  expect(outcome.difference, report(outcome)).toBeUndefined();
  // Nothing of it is empty.
  const { tally } = outcome;
  expect(tally.missing(), report(outcome)).toEqual([]);
  for (const kind of ['token', 'any_of', 'identify'])
    expect(tally.rules.get(kind)?.get('native'), `${kind}\n${report(outcome)}`).toBeGreaterThan(20);
  for (const kind of ['session', 'token', 'any_of', 'identify', 'no rule'])
    expect(tally.rules.get(kind)?.get('asked'), `${kind}\n${report(outcome)}`).toBeGreaterThan(100);
  // What the edge cache said, asked again, is what the engine says.
  expect(tally.again.get('remembered'), report(outcome)).toBeGreaterThan(100);
});
