// Measures what Envoy's jwt_authn says of each token case and writes it down, with the version of Envoy. A test measures
// again and compares.
import { writeFileSync } from 'node:fs';
import { measure, RECORDED } from '../conformance/jwt/measure.ts';

const recorded = await measure();
writeFileSync(RECORDED, `${JSON.stringify(recorded, undefined, 2)}\n`);
process.stdout.write(`${Object.keys(recorded.cases).length} cases, Envoy ${recorded.envoy}\n`);
