// The script is a text of its own, in which the compiler sees no name: that it speaks the authorizer's words, and Envoy's.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WIRE } from '../../check/wire.ts';
import { RBAC } from './filter-names.ts';
import { DECISION } from './native-yes.ts';

const SCRIPT = readFileSync(new URL('./edge-cache.lua', import.meta.url), 'utf8');

test.each([WIRE.edgeKey, WIRE.cacheFor, WIRE.rule, WIRE.reason, RBAC, DECISION])(
  'the script says "%s" as the authorizer and the other filters do',
  (word) => expect(SCRIPT).toContain(`"${word}"`),
);

test('the script has no other word that begins as those of the authorizer do', () => {
  const words = [...SCRIPT.matchAll(/"(ory-[a-z-]+[a-z])"/g)].map(([, word]) => word);
  expect(new Set(words)).toEqual(new Set([WIRE.edgeKey, WIRE.cacheFor, WIRE.rule, WIRE.reason, 'ory-envoy']));
});
