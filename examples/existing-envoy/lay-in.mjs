// Lays ory-envoy's parts into an Envoy bootstrap: `node lay-in.mjs envoy.yaml PARTS > merged.yaml`, where the folder PARTS
// was written by `ory-envoy generate envoy --part filters|routes|clusters -o PARTS`, once for each.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

const [own, parts] = process.argv.slice(2);
const read = (file) => parse(readFileSync(file, 'utf8'));
const bootstrap = read(own);

for (const listener of bootstrap.static_resources.listeners) {
  for (const { filters } of listener.filter_chains) {
    for (const { name, typed_config: manager } of filters) {
      if (name !== 'envoy.filters.network.http_connection_manager') continue;
      // All of it: header removal and path normalisation are half of the lock. Its http_filters end with a router.
      Object.assign(manager, read(join(parts, 'filters.yaml')), read(join(parts, 'routes.yaml')));
    }
  }
}
bootstrap.static_resources.clusters.push(...read(join(parts, 'clusters.yaml')).clusters);
process.stdout.write(stringify(bootstrap));
