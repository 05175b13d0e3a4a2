import { defineConfig } from 'vitest/config';

/** One project a suite; `scripts/test.ts` runs them in this order and adds up their counts. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'conformance/jwt/*.test.ts', 'bench/**/*.test.ts'],
          setupFiles: ['src/testing/seed.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'ory',
          include: ['conformance/ory/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'edge',
          include: ['conformance/edge/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'equivalence',
          include: ['conformance/equivalence/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'targets',
          include: [
            'conformance/targets/**/*.test.ts',
            'conformance/crds/**/*.test.ts',
            'conformance/envoy-gateway/**/*.test.ts',
          ],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['conformance/browser/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'package',
          include: ['conformance/package/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
