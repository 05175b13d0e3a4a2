// Writes the JSON Schema that editors use; a test fails when it is stale.
import { mkdirSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../src/config/json-schema.ts';

mkdirSync('schema', { recursive: true });
writeFileSync('schema/ory-envoy.schema.json', configJsonSchema());
