// Writes what is made from the ext_authz schema, for tests, into the folder that is named or to its place. A test fails
// when it is stale.
import { spawnSync } from 'node:child_process';

const SCHEMA = 'src/check/proto';
const [out = 'src/check/testing'] = process.argv.slice(2);
const template = {
  version: 'v2',
  plugins: [{ local: 'protoc-gen-es', out, opt: ['target=ts', 'import_extension=ts'] }],
};
const { status } = spawnSync('buf', ['generate', '--template', JSON.stringify(template), SCHEMA], { stdio: 'inherit' });
process.exitCode = status ?? 1;
