// `validate`: checks the file and says what it means, rule by rule. Reads the file, writes to standard output.
import {
  type Config,
  formatAddress,
  formatUpstream,
  type OryOnOrigin,
  type Rule,
  type TokenSettings,
} from '../config/config.ts';
import { ConfigError } from '../config/fault.ts';
import { loadConfig } from '../config/load.ts';
import { warningsOf } from '../config/warnings.ts';
import { accessText, matchText } from './rule-text.ts';
import { table } from './table.ts';

/** @throws {ConfigError} */
export function validate(file: string, json: boolean): void {
  if (!json) {
    const config = loadConfig(file);
    process.stdout.write(`${describe(file, config)}\n`);
    for (const warning of warningsOf(config)) process.stdout.write(`\nwarning: ${warning}\n`);
    return;
  }
  try {
    const config = loadConfig(file);
    process.stdout.write(
      `${JSON.stringify({
        ok: true,
        warnings: warningsOf(config),
        tokens: tokenSummary(config.tokens),
        rules: config.rules.map(ruleSummary),
      })}\n`,
    );
  } catch (error) {
    if (error instanceof ConfigError) process.stdout.write(`${JSON.stringify({ ok: false, faults: error.faults })}\n`);
    throw error;
  }
}

/** `opaque`: where they are asked about. Null where tokens, or opaque ones, are not taken. */
function tokenSummary(tokens: TokenSettings | undefined): object | null {
  if (!tokens) return null;
  const { issuer, jwksUrl, introspection } = tokens;
  return { issuer, jwks_url: jwksUrl, opaque: introspection?.url ?? null };
}

function ruleSummary(rule: Rule): object {
  return {
    name: rule.name,
    match: matchText(rule),
    upstream: rule.upstream,
    access: accessText(rule.access),
    unauthenticated: rule.unauthenticated,
    ...(rule.corsOrigins ? { cors: rule.corsOrigins } : {}),
  };
}

function describe(file: string, config: Config): string {
  const { edge, sessions, tokens } = config;
  const facts: [string, string][] = [
    [
      'edge',
      `${edge.tls ? 'https' : 'http'}://${formatAddress(edge.listen)}${edge.publicUrl.endsWith(formatAddress(edge.listen)) ? '' : `, reached as ${edge.publicUrl}`}`,
    ],
    ...[...edge.upstreams].map(([name, upstream]): [string, string] => [`upstream ${name}`, formatUpstream(upstream)]),
    ['sessions', sessions ? `${sessions.kratosUrl}/sessions/whoami` : 'no rule takes them'],
    ['tokens', tokens ? `issuer ${tokens.issuer}, keys ${tokens.jwksUrl}` : 'no rule takes them'],
    ...(tokens ? [['opaque tokens', opaqueText(tokens)] as [string, string]] : []),
    ...(edge.ory ? [['Ory', `${edge.ory.publicUrl} leads to ${oryTargets(edge.ory)}`] as [string, string]] : []),
    ['headers', config.identityHeaders.map((header) => header.name).join(', ')],
  ];
  const rules = config.rules.map((rule): [string, string, string] => [
    rule.name,
    matchText(rule),
    meaning(rule, edge.upstreams.size > 1),
  ]);
  return [
    `${file} is valid.`,
    '',
    ...table(facts),
    '',
    'Rules, first match wins; whatever matches none is denied:',
    ...table(rules),
  ].join('\n');
}

/** A fact and no warning: whoever issues JWTs alone needs nothing more. */
function opaqueText({ introspection }: TokenSettings): string {
  if (!introspection)
    return 'are refused (token_kind_wrong); to take them give ory.hydra.admin_url, on Ory Network ory.api_key';
  return `are asked about at ${introspection.url}${introspection.apiKey === undefined ? '' : ', with ory.api_key'}`;
}

function oryTargets({ kratosUrl, hydraUrl }: OryOnOrigin): string {
  return [...new Set([kratosUrl.href, hydraUrl?.href ?? kratosUrl.href])].join(' and ');
}

function meaning(rule: Rule, namesUpstream: boolean): string {
  const redirect = rule.unauthenticated === 'redirect' ? '; a navigation without one goes to the login' : '';
  const cors = rule.corsOrigins ? `; pages of ${rule.corsOrigins.join(' and ')} may read denials` : '';
  return `${accessText(rule.access)}${redirect}${cors}${namesUpstream ? ` -> ${rule.upstream}` : ''}`;
}
