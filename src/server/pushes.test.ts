// Many revocations, few pushes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PushError } from './edge-caches.ts';
import { Pushes } from './pushes.ts';

/** Pushes that end when a test says so. */
class Slow {
  readonly fed = 1;
  readonly begun: { readonly end: () => void; readonly fail: () => void }[] = [];
  atOnce = 0;

  empty(): Promise<void> {
    this.atOnce++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ended = (settle: () => void) => () => {
      this.atOnce--;
      settle();
    };
    this.begun.push({ end: ended(resolve), fail: ended(() => reject(new PushError('not taken'))) });
    return promise;
  }
}

test('a thousand at once make two pushes, one after the other', async () => {
  const slow = new Slow();
  const pushes = new Pushes(slow);
  const all = Array.from({ length: 1_000 }, () => pushes.empty());
  slow.begun[0]?.end();
  await all[0];
  expect(slow.begun.length).toBe(2);
  slow.begun[1]?.end();
  await Promise.all(all);
  expect([slow.begun.length, slow.atOnce]).toEqual([2, 0]);
});

test('a push that failed is the answer of those who waited for it, and the next is tried', async () => {
  const slow = new Slow();
  const pushes = new Pushes(slow);
  const [first, second] = [pushes.empty(), pushes.empty()];
  slow.begun[0]?.fail();
  await expect(first).rejects.toThrow(PushError);
  slow.begun[1]?.end();
  await second;
  const third = pushes.empty();
  slow.begun[2]?.end();
  await third;
});

test('one that throws before it begins is a failure like another', async () => {
  let calls = 0;
  const pushes = new Pushes({
    fed: 1,
    empty() {
      calls++;
      throw new PushError('no folder');
    },
  });
  await expect(pushes.empty()).rejects.toThrow('no folder');
  await expect(pushes.empty()).rejects.toThrow('no folder');
  expect(calls).toBe(2);
});

test('in any order, an answer comes from a push that began after it was asked for, and there is one at a time', async () => {
  const steps = fc.array(fc.constantFrom('ask', 'ask', 'askAgain', 'end', 'fail'), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const slow = new Slow();
      const pushes = new Pushes(slow);
      let ended = 0;
      const asked: Promise<void>[] = [];
      const ask = async (again: boolean): Promise<void> => {
        const before = slow.begun.length;
        await pushes.empty().catch(() => {});
        expect(ended, 'a push that began later has ended').toBeGreaterThan(before);
        // In the very moment in which the next one begins.
        if (again) await ask(false);
      };
      const end = async (how: 'end' | 'fail'): Promise<void> => {
        if (slow.begun.length === ended) return;
        slow.begun[ended++]?.[how]();
        await new Promise((resolve) => setImmediate(resolve));
      };
      for (const step of all) {
        if (step === 'ask' || step === 'askAgain') asked.push(ask(step === 'askAgain'));
        else await end(step as 'end' | 'fail');
        expect(slow.atOnce).toBeLessThan(2);
      }
      while (slow.begun.length > ended) await end('end');
      await Promise.all(asked);
      expect(slow.begun.length).toBe(ended);
    }),
  );
});
