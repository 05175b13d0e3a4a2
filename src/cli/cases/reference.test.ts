// The committed files that are made from the schema of cases.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { casesJsonSchema, casesReference } from './reference.ts';

const committed = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('the committed JSON Schema is what the schema says; npm run schema writes it', () => {
  expect(committed('schema/cases.schema.json')).toBe(casesJsonSchema());
});

test('the committed reference page is what the schema says; npm run schema writes it', () => {
  expect(committed('docs/cases.md')).toBe(casesReference());
});
