// Writes what is made from the configuration's schema: the JSON Schema for editors and the reference page. A test fails
// when one of them is stale.
import { mkdirSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { configReference } from '../src/config/reference.ts';

mkdirSync('schema', { recursive: true });
writeFileSync('schema/ory-envoy.schema.json', configJsonSchema());
writeFileSync('docs/configuration.md', configReference());
