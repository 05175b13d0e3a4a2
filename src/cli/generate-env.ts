// The environment as `generate` needs it: what is generated holds no secret, so a secret need not be there. No I/O.
import { isScalar, parseDocument } from 'yaml';
import type { Env } from '../config/yaml-file.ts';

/** Keys of which no output holds the value. */
const SECRETS = [
  ['ory', 'api_key'],
  ['serve', 'admin_token'],
] as const;

/** Of a secret that is not there, long enough for any of them. */
const STAND_IN = 'not-set-where-this-was-generated';

/**
 * `env`, and a stand-in for each variable that it lacks and that stands for a whole secret: manifests are made on machines
 * that are not given the secrets.
 */
export function withoutSecrets(text: string, env: Env): Env {
  const document = parseDocument(text);
  const missing = SECRETS.flatMap((path) => {
    const node: unknown = document.hasIn(path) ? document.getIn(path, true) : undefined;
    const name = isScalar(node) ? /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(String(node.value))?.[1] : undefined;
    return name === undefined || env[name] ? [] : [[name, STAND_IN] as const];
  });
  return { ...env, ...Object.fromEntries(missing) };
}
