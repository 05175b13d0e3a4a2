// Which versions of a target are taken.
import { expect, test } from 'vitest';
import { isBefore, TARGETS, targetVersion, VERSIONS } from './target.ts';

test.each(TARGETS)('%s: the newest is the default, and both ends are taken', (target) => {
  const { oldest, newest } = VERSIONS[target];
  expect(targetVersion(target, undefined)).toEqual(targetVersion(target, newest));
  expect(isBefore(targetVersion(target, newest), targetVersion(target, oldest))).toBe(false);
});

test.each(['1.31', 'v1.31', '1.31.9'])('%s is one of Istio', (text) => {
  expect(targetVersion('istio', text).slice(0, 2)).toEqual([1, 31]);
});

test.each(['1.32', '1.20.9', '2.0', '0.1'])('%s is refused, with those that are known', (text) => {
  expect(() => targetVersion('istio', text)).toThrow(
    `--target-version ${text}: not a version of Istio that this can write for. Give one from 1.29 to 1.31`,
  );
});

test.each(['', 'latest', '1', '1.x', '1.31.0-rc.1', '1.31.', '99999.1'])('%j is no version', (text) => {
  expect(() => targetVersion('istio', text)).toThrow(/not a version\. Give one from/);
});
