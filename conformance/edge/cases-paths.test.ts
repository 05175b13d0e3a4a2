// The engine of `ory-envoy test` reads a path as the generated Envoy does: generated paths through both.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { normalisedByEnvoy } from '../../src/cli/cases/as-envoy.ts';
import { canonicalPath } from '../../src/config/path.ts';
import { deny, type Rig, sendRaw, startRig } from './envoy-rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({
    config: 'rules: [{ name: all, match: { path: "/**" }, allow: anyone, upstream: app }]',
    upstreams: ['app'],
    answer: deny(403, {}),
  });
});
afterAll(() => rig?.close());

const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('a', 'b', '.', '..', '...', '.a', 'a..', '', '%2e', '.%2E', '%2e%2e', '%2e.'),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom('/', '//', '\\', ';', ';x=1', '..;', '.;', '%2e%2e;', '%', '%2', '%zz', '%%32e'),
  },
  { weight: 3, arbitrary: fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, '0')}`) },
  { weight: 2, arbitrary: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) },
);
const path = fc
  .array(
    fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join('')),
    { maxLength: 6 },
  )
  .map((segments) => `/${segments.join('/')}`)
  .filter((text) => !text.includes('#') && !text.includes('?'));

/** The path that reached the application, in the one form; undefined where none did. */
async function byEnvoy(target: string): Promise<string | undefined> {
  const before = rig.received.length;
  const answer = await sendRaw(rig.port, Buffer.from(`GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`));
  if (answer.status === 400) return undefined;
  return canonicalPath(rig.received[before]?.url ?? '');
}

test('a path means the same to both, and is refused by both', { timeout: 300_000 }, async () => {
  const counts = { passed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(path, async (target) => {
      const expected = await byEnvoy(target);
      counts[expected === undefined ? 'refused' : 'passed']++;
      expect(canonicalPath(normalisedByEnvoy(target)), target).toBe(expected);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 2_000), seed: 20_261_124 },
  );
  for (const count of Object.values(counts)) expect(count, JSON.stringify(counts)).toBeGreaterThan(200);
});
