// The committed files that are made from the schema, and the pages that must not fall behind the code.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configJsonSchema } from './json-schema.ts';
import { configReference } from './reference.ts';

const committed = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('the committed JSON Schema is what the schema says; npm run schema writes it', () => {
  expect(committed('schema/ory-envoy.schema.json')).toBe(configJsonSchema());
});

test('the committed reference page is what the schema says; npm run schema writes it', () => {
  expect(committed('docs/configuration.md')).toBe(configReference());
});

test('every key has a meaning on the reference page', () => {
  const rows = configReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.length).toBeGreaterThan(50);
  const sections =
    /^\| `(?:tokens|cache|serve|edge|ory\.(?:kratos|hydra)|rules\[\]\.match|edge\.mcp\.scopes|edge\.tls\.\w+|rules\[\]\.(?:match\.mcp|cors)\.\w+|rules\[\]\.require\.any_of)`/;
  expect(rows.filter((line) => line.endsWith('|  |') && !sections.test(line))).toEqual([]);
});
