// Writes what is made from the schemas of ory-envoy.yaml and cases.yaml: JSON Schemas for editors and reference pages. A
// test fails when one of them is stale.
import { mkdirSync, writeFileSync } from 'node:fs';
import { casesJsonSchema, casesReference } from '../src/cli/cases/reference.ts';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { configReference } from '../src/config/reference.ts';

mkdirSync('schema', { recursive: true });
writeFileSync('schema/ory-envoy.schema.json', configJsonSchema());
writeFileSync('docs/configuration.md', configReference());
writeFileSync('schema/cases.schema.json', casesJsonSchema());
writeFileSync('docs/cases.md', casesReference());
