// Writes what is made from the ext_authz schema, into the folder that is named or beside it. A test fails when it is stale.
import { spawnSync } from 'node:child_process';

const HOME = 'src/check/proto';
const [out = HOME] = process.argv.slice(2);
const template = {
  version: 'v2',
  plugins: [{ local: 'protoc-gen-es', out, opt: ['target=ts', 'import_extension=ts'] }],
};
const { status } = spawnSync('buf', ['generate', '--template', JSON.stringify(template), HOME], { stdio: 'inherit' });
process.exitCode = status ?? 1;
