// A short run of what `npm run edge-cache` does at length; and that it sees what it is there to see.
import { describe, expect, it } from 'vitest';
import { replacing } from './bootstrap.ts';
import { reportEdgeCache, runEdgeCache } from './run.ts';
import { FORMS, OPENING } from './sequence.ts';

const REMEMBERED = FORMS.filter((form) => form !== 'connect');

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
  // Whatever the seed: each sample has the opening.
  for (const forms of Object.values(run.forms)) {
    for (const form of FORMS)
      expect(forms[form].asked, `${form}: ${text}`).toBeGreaterThan(
        2 * OPENING.filter((step) => step.form === form).length,
      );
    for (const form of REMEMBERED) expect(forms[form].hits, `${form}: ${text}`).toBeGreaterThan(0);
    expect(forms.connect, text).toMatchObject({ yeses: 0, hits: 0 });
  }
}, 240_000);

describe.each(REMEMBERED)('a difference on a remembered %s request is seen', (form) => {
  const only = {
    plain: 'headers:get(":path") == "/admin/x"',
    websocket: 'headers:get("upgrade")',
    grpc: 'headers:get("content-type") == "application/grpc"',
    retried: 'find(headers:get(":path"), "^/retried/")',
    mirrored: 'find(headers:get(":path"), "^/mirrored/")',
  }[form];
  const set = 'headers:replace(HEADERS[i], value)';

  it.each([
    ['of another identity', set, `headers:replace(HEADERS[i], i == 2 and ${only} and "other" or value)`],
    ['of a header less', `if value then ${set}`, `if value and not (i == 2 and ${only}) then ${set}`],
    ['of a word that goes on', set, `${set} if ${only} then headers:replace("ory-edge-key", "x") end`],
  ])('%s', async (_, from, to) => {
    const run = await runEdgeCache({ seed: 1, requests: 1, transports: ['http'], script: replacing(from, to) });
    expect(run.differences[0]).toMatch(new RegExp(`^http, the two differ: ${form}, `));
  });

  it('of a yes that outlives its time', async () => {
    const recall = 'local entry = recall(slot, presented, now)';
    const script = replacing(recall, recall.replace('now', `${only} and 0 or now`));
    const run = await runEdgeCache({ seed: 1, requests: 1, transports: ['grpc'], script });
    expect(run.differences[0]).toMatch(new RegExp(`^grpc, nobody has vouched for keeper within cache.ttl: ${form}, `));
  });
});
