// `--workers` as it is written on the command line.
import { afterEach, expect, test, vi } from 'vitest';
import { run } from '../program.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test.each(['0', '-1', '1.5', '257', '1e2', '', ' 2', 'auto', '99999999999'])(
  '%j workers are a fault of usage, and what is right is said',
  async (count) => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await run(['serve', `--workers=${count}`, '-c', 'there-is-none.yaml'])).toBe(2);
    expect(written.mock.calls.join('')).toContain('It is a whole number from 1 to 256, such as the number of cores.');
  },
);

test.each(['1', '256'])('%s workers are none: it is the file that is missing', async (count) => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(await run(['serve', '--workers', count, '-c', 'there-is-none.yaml'])).toBe(2);
  expect(written.mock.calls.join('')).toContain('there-is-none.yaml');
});
