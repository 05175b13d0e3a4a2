// Throws generated policies and requests at a real Envoy and at the engine, and demands the same of both:
// `--requests N`, `--seed S`; `--replay SEED:PATH` gives one difference again.
import { parseArgs } from 'node:util';
import { DIFFERENCES } from '../conformance/equivalence/differences.ts';
import { report, reportDifference } from '../conformance/equivalence/report.ts';
import { replay, run } from '../conformance/equivalence/run.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function again(which: string): Promise<void> {
  const [seed = '', ...path] = which.split(':');
  const difference = await replay(Number(seed), path.join(':'));
  say(difference ? reportDifference(difference) : 'The two are equal.');
  process.exitCode = difference ? 1 : 0;
}

async function many(): Promise<void> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  const requests = Number(values.requests);
  say(`seed ${seed}`);
  let said = 0;
  const outcome = await run({
    seed,
    requests,
    shrink: !values['no-shrink'],
    onProgress: ({ total }, seconds) => {
      if (seconds - said < 10) return;
      said = seconds;
      process.stderr.write(`${total} requests, ${Math.round(total / seconds)} a second\n`);
    },
  });
  say(report(outcome));
  const { tally } = outcome;
  // A short run need not see the seldom ones.
  const stale = requests < 100_000 ? [] : DIFFERENCES.filter(({ name }) => !tally.listed.has(name));
  if (stale.length > 0) say(`Listed as different, and not seen to differ: ${stale.map(({ name }) => name).join(', ')}`);
  const isEmpty = tally.missing().length > 0 || tally.by('native') === 0 || stale.length > 0;
  process.exitCode = outcome.difference || isEmpty ? 1 : 0;
}

await (values.replay === undefined ? many() : again(values.replay));
