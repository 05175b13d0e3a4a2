// In which order everything ends, and that nothing is left where one of them fails. No I/O.
import { expect, test } from 'vitest';
import { Ends } from './ends.ts';

test('what was added last ends first, and one that fails in whatever way leaves none of the others behind', async () => {
  const ended: string[] = [];
  const ends = new Ends();
  await ends.add(() => ended.push('first'));
  await ends.add(() => Promise.reject(new Error('later')));
  await ends.add(() => ended.push('second'));
  await ends.add(() => {
    throw new Error('at once');
  });
  await ends.add(async () => ended.push('third'));
  await expect(ends.end()).rejects.toThrow('at once');
  expect(ended).toEqual(['third', 'second', 'first']);
});

test('what is added after the end ends at once', async () => {
  const ends = new Ends();
  await ends.end();
  let ended = false;
  await ends.add(() => {
    ended = true;
  });
  expect(ended).toBe(true);
});
