// oathkeeper.yml: what Oathkeeper is told beside its rules. No I/O.
import type { Address, Config } from '../../config/config.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { authenticatorSettings } from './authenticators.ts';
import { headerTemplates } from './header-templates.ts';

/** Where Oathkeeper looks for its rules, unless its environment says another place. */
const RULES_URL = 'file:///etc/oathkeeper/access-rules.yml';

/** Oathkeeper stands in the authorizer's place, and takes the authorizer's addresses. */
export function configuration(config: Config): Block {
  const { http, grpc, admin } = config.serve;
  return {
    log: { level: 'warn', format: 'json', leak_sensitive_values: false },
    serve: {
      api: { [COMMENT]: 'serve.http: Envoy asks here, and nobody else may reach it.', ...listener(http) },
      proxy: {
        [COMMENT]: 'serve.grpc. It cannot be switched off, and no rule names an upstream for it.',
        ...listener(grpc),
      },
      prometheus: { [COMMENT]: 'serve.admin.', ...listener(admin) },
    },
    access_rules: {
      [COMMENT]: 'The expressions of the rules are of this strategy alone.',
      matching_strategy: 'regexp',
      repositories: [RULES_URL],
    },
    authenticators: authenticatorSettings(config),
    authorizers: { allow: { enabled: true } },
    mutators: {
      header: {
        [COMMENT]:
          'The identity headers, and two that reach nobody: they fail where the authorizer would not have taken what was verified.\nOathkeeper keeps templates in memory: it has to be started anew where they change.',
        enabled: true,
        config: { headers: headerTemplates(config) },
      },
    },
    errors: {
      fallback: ['json'],
      handlers: {
        json: { enabled: true, config: { verbose: false } },
        ...(config.loginUrl === undefined ? {} : { redirect: redirect(config.loginUrl) }),
      },
    },
  };
}

/** Oathkeeper joins the two with a colon. */
function listener({ host, port }: Address): Block {
  return { host: host.includes(':') ? `[${host}]` : host, port };
}

function redirect(loginUrl: string): Block {
  return {
    enabled: true,
    config: {
      to: loginUrl,
      code: 302,
      return_to_query_param: 'return_to',
      when: [{ error: ['unauthorized'], request: { header: { accept: ['text/html'] } } }],
    },
  };
}
