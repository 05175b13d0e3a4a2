// Writes the table of attacks into SECURITY.md. A test fails when it is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { withTable } from '../conformance/edge/attacks/security-table.ts';

writeFileSync('SECURITY.md', withTable(readFileSync('SECURITY.md', 'utf8')));
