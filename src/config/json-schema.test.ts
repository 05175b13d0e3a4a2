// The committed JSON Schema.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configJsonSchema } from './json-schema.ts';

test('the committed JSON Schema is what the schema says; npm run schema writes it', () => {
  const committed = readFileSync(new URL('../../schema/ory-envoy.schema.json', import.meta.url), 'utf8');
  expect(committed).toBe(configJsonSchema());
});
