// Generated sequences of requests to an edge with the edge cache and to one without: `--requests N`, `--seed S`.
import { parseArgs } from 'node:util';
import { reportEdgeCache, runEdgeCache } from '../conformance/edge/edge-cache/run.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '50000' }, seed: { type: 'string' } },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
process.stdout.write(`seed ${seed}\n`);
let said = 0;
const run = await runEdgeCache({
  seed,
  requests: Number(values.requests),
  onProgress: (requests, seconds) => {
    if (seconds - said < 10) return;
    said = seconds;
    process.stderr.write(`${requests} requests, ${Math.round(requests / seconds)} a second\n`);
  },
});
process.stdout.write(`${reportEdgeCache(run)}\n`);
process.exitCode = run.differences.length > 0 ? 1 : 0;
