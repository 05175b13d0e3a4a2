// Against a real folder: what editors do to a file.
import { appendFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfigFile } from '../../config/load.ts';
import { Latest } from './latest.ts';
import { watchText } from './watch.ts';

let dir: string;
let file: string;
let seen: string[];
let reads: number;
let end: () => void;

function watching(known = 'old', path = file, read = readConfigFile): void {
  end = watchText(path, {
    known,
    onChange: (text) => seen.push(text),
    onGone: (why) => seen.push(`gone: ${why}`),
    quietMs: 40,
    goneMs: 200,
    read: (path) => {
      reads++;
      return read(path);
    },
  });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-watch-'));
  file = join(dir, 'file.yaml');
  writeFileSync(file, 'old');
  seen = [];
  reads = 0;
});
afterEach(() => {
  end();
  rmSync(dir, { recursive: true, force: true });
});
const sees = (...texts: string[]) => vi.waitFor(() => expect(seen).toEqual(texts), { timeout: 10_000 });

describe('a watched file', () => {
  test('written in place, in several writes, is read once and whole', async () => {
    watching();
    writeFileSync(file, 'a');
    for (const more of ['b', 'c', 'd']) appendFileSync(file, more);
    await sees('abcd');
  });

  test('that another is renamed onto is read, again and again', async () => {
    watching();
    for (const text of ['new', 'newer']) {
      writeFileSync(`${file}.swp`, text);
      renameSync(`${file}.swp`, file);
      await vi.waitFor(() => expect(seen.at(-1)).toBe(text), { timeout: 10_000 });
    }
    expect(seen).toEqual(['new', 'newer']);
  });

  test('that is deleted and made again was never away', async () => {
    watching();
    rmSync(file);
    writeFileSync(file, 'new');
    await sees('new');
  });

  test('that stays away is said once, and its return is a change even where it is as it was', async () => {
    watching();
    rmSync(file);
    await sees('gone: there is no such file');
    writeFileSync(file, 'old');
    await sees('gone: there is no such file', 'old');
  });

  test('touched without a change is not reported, and a file beside it neither', async () => {
    watching();
    await vi.waitFor(() => expect(reads).toBeGreaterThan(0));
    const before = reads;
    writeFileSync(file, 'old');
    await vi.waitFor(() => expect(reads).toBeGreaterThan(before), { timeout: 10_000 });
    writeFileSync(join(dir, 'other.yaml'), 'x');
    writeFileSync(file, 'new');
    await sees('new');
  });

  test('that changes while it is read is read again afterwards: the newest text comes last', async () => {
    const answers: ((text: string) => void)[] = [];
    watching('old', file, () => new Promise((resolve) => answers.push(resolve)));
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    // Another one that watches the same shows when a second read would have begun.
    const other: string[] = [];
    const endOther = watchText(file, {
      known: 'old',
      quietMs: 80,
      onChange: (text) => other.push(text),
      onGone: () => {},
    });
    writeFileSync(file, 'new');
    await vi.waitFor(() => expect(other).toEqual(['new']), { timeout: 10_000 });
    endOther();
    const [first, ...early] = answers;
    for (const answer of early) answer('new');
    first?.('newer than old');
    await vi.waitFor(() => expect(answers).toHaveLength(2), { timeout: 10_000 });
    answers[1]?.('new');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('new'), { timeout: 10_000 });
  });

  test('that changed between its reading and the watching is noticed', async () => {
    writeFileSync(file, 'new');
    watching('old');
    await sees('new');
  });

  test('behind a link is followed', async () => {
    const link = join(dir, 'link.yaml');
    const elsewhere = mkdtempSync(join(tmpdir(), 'ory-envoy-watch-'));
    writeFileSync(join(elsewhere, 'target'), 'old');
    symlinkSync(join(elsewhere, 'target'), link);
    watching('old', link);
    writeFileSync(join(elsewhere, 'target'), 'new');
    await sees('new');
    rmSync(elsewhere, { recursive: true });
  });
});

test('of values that come while one is worked on, the newest alone is next', async () => {
  end = () => {};
  const done: number[] = [];
  const go: (() => void)[] = [];
  const latest = new Latest<number>(async (value) => {
    done.push(value);
    await new Promise<void>((resolve) => go.push(resolve));
  });
  for (const value of [1, 2, 3, 4]) latest.offer(value);
  expect(done).toEqual([1]);
  go[0]?.();
  await vi.waitFor(() => expect(done).toEqual([1, 4]));
  go[1]?.();
  await vi.waitFor(() => expect(go).toHaveLength(2));
  latest.offer(5);
  await vi.waitFor(() => expect(done).toEqual([1, 4, 5]));
});
