// How much the edge cache remembers: bounded in bytes, whatever spellings come; what is pushed out is asked again.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import type { Lines } from '../rig/client.ts';
import { replacing, type Variant } from './bootstrap.ts';
import { bearer, cookie, type Rig, session, startRig, token, warm } from './rig.ts';

const MAX_BYTES = 8_000;
const ENTRY_BYTES = 300;
const small: Variant = { name: 'small', script: replacing('MAX_BYTES = 33554432', `MAX_BYTES = ${MAX_BYTES}`) };
const few: Variant = { name: 'few', script: replacing('MAX_WAITING = 1024', 'MAX_WAITING = 2') };

describe.each(TRANSPORTS)('over %s', (transport) => {
  let rig: Rig;
  const variants = [{ name: 'edge' }, small, few];
  beforeAll(async () => {
    rig = await startRig({ transport, variants, change: { cache: { ttl: '10m', edge_ttl: '10m' } } });
  });
  afterAll(() => rig?.close());

  const ask = (lines: Lines, variant: string) => rig.ask('/admin/x', lines, { variant });

  it('a full cache keeps what was used last, in no more than two generations', async () => {
    const people = Array.from({ length: 100 }, (_, i) => session(rig, `p${i}`));
    for (const [i, value] of people.entries()) expect(await ask(token(value), 'small')).toBe(`200 p${i} /admin/x`);
    const remembered: number[] = [];
    for (const [i, value] of [...people.entries()].reverse()) {
      // A miss would push out the next one that is looked at.
      if (remembered.length > 0 && remembered.at(-1) !== i + 1) break;
      const { hits } = await rig.during(() => ask(token(value), 'small'), 'small');
      if (hits === 1) remembered.push(i);
    }
    const most = (2 * MAX_BYTES) / (ENTRY_BYTES + '/admin/x'.length);
    expect(remembered.length).toBeGreaterThan(MAX_BYTES / (ENTRY_BYTES + 200));
    expect(remembered.length).toBeLessThan(most);
    // Everybody else is asked about again, and is who they are.
    const { asked } = await rig.during(async () => {
      expect(await ask(token(people[0] ?? ''), 'small')).toBe('200 p0 /admin/x');
    }, 'small');
    expect(asked).toBe(1);
  });

  it('what is used goes on from one generation to the next', async () => {
    const hot = session(rig, 'hot');
    await warm(rig, '/admin/x', token(hot), 'small');
    for (let i = 0; i < 60; i++) {
      await ask(token(session(rig, `cold${i}`)), 'small');
      const { hits } = await rig.during(async () => {
        expect(await ask(token(hot), 'small')).toBe('200 hot /admin/x');
      }, 'small');
      expect(hits, `after ${i} others`).toBe(1);
    }
  });

  it('what has ended in the older generation is over', async () => {
    const endsMs = Date.now() + 1_500;
    const value = session(rig, 'ada', { expires_at: new Date(endsMs).toISOString() });
    expect(await ask(token(value), 'small')).toBe('200 ada /admin/x');
    rig.ory.revoke(value);
    // So many others that it is in the older generation, and not pushed out of it.
    for (let i = 0; i < 30; i++) await ask(token(session(rig, `p${i}`)), 'small');
    await until('it has ended', () => Date.now() > endsMs);
    expect(await ask(token(value), 'small')).toBe('401 session_invalid');
  });

  it('one session in any number of spellings is remembered once', async () => {
    const value = session(rig, 'ada');
    const spellings: Lines[] = [];
    for (let i = 0; i < 300; i++) {
      spellings.push([['Cookie', `${'a=1; '.repeat(i % 40)}ory_kratos_session=${value}${'; b=2'.repeat(i % 7)}`]]);
      spellings.push([['Cookie', `x=${i};${' '.repeat(i % 9)}ory_kratos_session=${value}${' '.repeat(i % 3)}`]]);
      spellings.push([['Authorization', `Bearer${' '.repeat(1 + (i % 11))}${value}`]]);
      spellings.push([['X-Session-Token', `${','.repeat(i % 13)}${value}`]]);
    }
    const { stores } = await rig.during(async () => {
      for (let i = 0; i < spellings.length; i += 25)
        await Promise.all(spellings.slice(i, i + 25).map((lines) => ask(lines, 'edge')));
    }, 'edge');
    // As a cookie, a bearer and a token, and those that were on their way together.
    expect(stores).toBeLessThanOrEqual(3 * 25);
    expect(stores).toBeGreaterThanOrEqual(3);
    const counts = await rig.during(async () => {
      for (const lines of [cookie(value), bearer(value), token(value)]) await ask(lines, 'edge');
    }, 'edge');
    expect(counts).toMatchObject({ hits: 3, stores: 0 });
  });

  it('a key beyond 2,048 bytes is neither looked for nor remembered', async () => {
    const long = `${session(rig, 'ada')}${'x'.repeat(2_048)}`;
    rig.ory.session(long, 'ada');
    const { misses, stores, asked } = await rig.during(async () => {
      for (let i = 0; i < 3; i++) expect(await ask(token(long), 'edge')).toBe('200 ada /admin/x');
    }, 'edge');
    expect([misses, stores, asked]).toEqual([0, 0, 3]);
    const fits = `${long}`.slice(0, 2_048 - 'admin t'.length);
    rig.ory.session(fits, 'ada');
    await warm(rig, '/admin/x', token(fits), 'edge');
    rig.ory.session(`${fits}y`, 'ada');
    expect(await rig.during(() => ask(token(`${fits}y`), 'edge'), 'edge')).toMatchObject({ misses: 0 });
  });

  it('more requests on their way than are waited for: the first are not remembered, nobody is another', async () => {
    const people = Array.from({ length: 12 }, (_, i) => [`p${i}`, session(rig, `p${i}`)] as const);
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all(people.map(([, value]) => ask(token(value), 'few')));
      expect(answers).toEqual(people.map(([name]) => `200 ${name} /admin/x`));
    }
    for (const [name, value] of people) {
      await warm(rig, '/admin/x', token(value), 'few');
      expect(await ask(token(value), 'few')).toBe(`200 ${name} /admin/x`);
    }
  });

  it('an entry that takes more room than the one before it is counted as it is', async () => {
    const large = { identity: { id: 'ada', state: 'active', traits: { email: 'x'.repeat(9_000) } } };
    const endsMs = Date.now() + 1_000;
    const growing = session(rig, 'ada', { expires_at: new Date(endsMs).toISOString() });
    await ask(token(growing), 'small');
    const other = session(rig, 'bob');
    await warm(rig, '/admin/x', token(other), 'small');
    await until('it has ended', () => Date.now() > endsMs);
    // Each of them is beyond the bound, and begins a generation: the second pushes out what was there before the first.
    for (const value of [growing, session(rig, 'ada')]) {
      rig.ory.session(value, 'ada', large);
      expect(await rig.during(() => ask(token(value), 'small'), 'small')).toMatchObject({ stores: 1 });
    }
    expect(await rig.during(() => ask(token(other), 'small'), 'small')).toMatchObject({ hits: 0 });
  });
});

it('the bound is in the script once, and of two generations', () => {
  const script = readFileSync(new URL('../../../src/generate/envoy/edge-cache.lua', import.meta.url), 'utf8');
  expect(script.match(/MAX_BYTES = (\d+)/g)).toEqual(['MAX_BYTES = 33554432']);
});
