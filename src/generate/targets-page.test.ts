// The committed page of what each target can do.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ABILITIES_OF, FEATURES } from './abilities.ts';
import { TARGETS } from './target.ts';
import { targetsPage } from './targets-page.ts';

test('the committed page is what the tables say; npm run targets writes it', () => {
  expect(readFileSync(new URL('../../docs/targets.md', import.meta.url), 'utf8')).toBe(targetsPage());
});

test('every target has a word on every feature', () => {
  for (const target of TARGETS) {
    const said = Object.values(ABILITIES_OF[target] ?? {}).map((one) => (one.kind === 'native' ? one.how : one.why));
    expect(
      said.map((one) => one !== '' && !/[|\n]/.test(one)),
      target,
    ).toEqual(Object.keys(FEATURES).map(() => true));
  }
});
