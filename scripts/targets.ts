// Writes the page of what each target can do. A test fails when it is stale.
import { writeFileSync } from 'node:fs';
import { targetsPage } from '../src/generate/targets-page.ts';

writeFileSync('docs/targets.md', targetsPage());
