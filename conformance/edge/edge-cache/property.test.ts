// A short run of what `npm run edge-cache` does at length.
import { expect, it } from 'vitest';
import { reportEdgeCache, runEdgeCache } from './run.ts';

it('with and without the edge cache, generated sequences come to the same', async () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const run = await runEdgeCache({ seed, requests: 3_000 });
  const text = `seed ${seed}; again with SEED=${seed}\n${reportEdgeCache(run)}`;
  expect(run.differences, text).toEqual([]);
  for (const { hits, misses, stores, asked } of Object.values(run.counts)) {
    // Where little is remembered, little is proven.
    expect(hits / (hits + asked), text).toBeGreaterThan(0.1);
    expect(stores, text).toBeGreaterThan(100);
    expect(misses, text).toBeGreaterThan(stores);
  }
}, 240_000);
