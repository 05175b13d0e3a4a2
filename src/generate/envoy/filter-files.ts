// The filters that Envoy reads from files which the authorizer writes: jwt_authn with the authorizer's own keys, and the edge
// cache's script. Other content is in force within milliseconds, without a dropped connection, and what the filter
// remembered before it is gone. No I/O.
import { NO_KEYS } from '../../check/identity/jwks.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { digest, discoveryResponse, fromFile } from './discovery-response.ts';
import { EDGE_CACHE_TYPE, edgeCacheConfig, edgeCacheScript } from './edge-cache.ts';
import { EDGE_CACHE, JWT_AUTHN } from './filter-names.ts';
import { ASK, JWT_AUTHN_TYPE, JWT_AUTHN_WITHOUT_KEYS, jwtAuthnWithKeys } from './jwt-authn.ts';
import { isBlock, map } from './tree.ts';

export interface FilterFile {
  /** `keys`: its content follows the issuer's keys; `script`: a new version of it has forgotten everything. */
  readonly kind: 'keys' | 'script';
  /**
   * Of the filter, of Envoy's resource and of the file without `.json`. A digest of the filter's settings is a part of it:
   * routes of one policy never meet the filter of another.
   */
  readonly name: string;
  /** `version`: letters, digits and hyphens, never there before; it makes the content another one. `jwks`: a JWKS. */
  readonly content: (version: string, jwks: string) => string;
  /** What makes the filter do nothing, so that the authorizer is asked: in the place of content that Envoy refuses. */
  readonly asking: (version: string) => string;
}

/** Its name without the digest. */
const NAMES = { keys: 'jwt-authn', script: 'edge-cache' } as const;

/** Every file that an Envoy with this plan reads. Depends on the configuration alone. */
export function filterFiles(plan: Plan): FilterFile[] {
  const { tokens, edgeCache } = plan;
  const files: FilterFile[] = [];
  if (tokens) {
    const name = nameOf('keys', [tokens.jwksUrl, jwtAuthnWithKeys(tokens, '')]);
    const asking = askingContent('keys', name);
    files.push({
      kind: 'keys',
      name,
      content: (version, jwks) =>
        // Envoy refuses a set without keys, and would keep the one before it.
        jwks === NO_KEYS
          ? asking(version)
          : response(name, version, withVersion(jwtAuthnWithKeys(tokens, jwks), version)),
      asking,
    });
  }
  if (edgeCache) {
    const script = edgeCacheScript(plan, edgeCache.ttlMs);
    const name = nameOf('script', script);
    files.push({
      kind: 'script',
      name,
      content: (version) => response(name, version, edgeCacheConfig(`${script}-- ${version}\n`)),
      asking: askingContent('script', name),
    });
  }
  return files;
}

/** What stands in the place of a file of other settings, which nobody keeps any more; undefined for any other file. */
export function formerFile(fileName: string): FilterFile | undefined {
  const [, name = '', start] = /^((jwt-authn|edge-cache)-[\da-f]{12})\.json$/.exec(fileName) ?? [];
  if (name === '') return undefined;
  const kind = start === NAMES.keys ? 'keys' : 'script';
  const asking = askingContent(kind, name);
  return { kind, name, content: asking, asking };
}

function askingContent(kind: FilterFile['kind'], name: string): FilterFile['asking'] {
  return (version) =>
    response(
      name,
      version,
      kind === 'keys' ? withVersion(JWT_AUTHN_WITHOUT_KEYS, version) : edgeCacheConfig(`-- ${version}\n`),
    );
}

/** As a requirement that no route names: of equal content Envoy says that it has taken it, and does nothing. */
function withVersion(config: Block, version: string): Block {
  return { ...config, requirement_map: { ...(config['requirement_map'] as Block), [version]: ASK } };
}

/** The keys in the content of a file. */
export function keysIn(content: string): string {
  const [, text = ''] = /"local_jwks":\{"inline_string":("(?:[^"\\]|\\.)*")\}/.exec(content) ?? [];
  try {
    return String(JSON.parse(text));
  } catch {
    return NO_KEYS;
  }
}

function nameOf(kind: FilterFile['kind'], settings: Value): string {
  return `${NAMES[kind]}-${digest(settings)}`;
}

function response(name: string, version: string, config: Block): string {
  return discoveryResponse('filter', version, [{ name, typed_config: config }]);
}

/** Where Envoy finds a file. */
export function filterPath(folder: string, name: string): string {
  return `${folder.replace(/(?<=.)\/+$/, '')}/${name}.json`;
}

/** A part of a configuration, with the filters of {@link filterFiles} from the folder, and routes that name them so. */
export function withFiltersFrom<T extends Value>(part: T, plan: Plan, folder: string): T {
  const files = new Map(filterFiles(plan).map((file) => [file.kind === 'keys' ? JWT_AUTHN : EDGE_CACHE, file]));
  const visit = (value: Value, key = ''): Value => {
    if (!isBlock(value)) return map(value, visit);
    if (key === 'typed_per_filter_config') return renamed(value, files);
    const file = 'typed_config' in value ? files.get(String(value['name'])) : undefined;
    return file ? discovered(value, file, folder) : map(value, visit);
  };
  return visit(part) as T;
}

function renamed(perFilter: Block, files: ReadonlyMap<string, FilterFile>): Block {
  return Object.fromEntries(Object.entries(perFilter).map(([name, item]) => [files.get(name)?.name ?? name, item]));
}

/** The default asks the authorizer: it holds until Envoy has read the file, and where what it read was none. */
function discovered(filter: Block, { kind, name }: FilterFile, folder: string): Block {
  return {
    [COMMENT]: `${filter[COMMENT]}\nFrom the file that the authorizer writes, which must be there when Envoy starts.`,
    name,
    config_discovery: {
      config_source: fromFile(filterPath(folder, name)),
      default_config: kind === 'keys' ? JWT_AUTHN_WITHOUT_KEYS : edgeCacheConfig(' '),
      apply_default_config_without_warming: true,
      type_urls: [kind === 'keys' ? JWT_AUTHN_TYPE : EDGE_CACHE_TYPE],
    },
  };
}
