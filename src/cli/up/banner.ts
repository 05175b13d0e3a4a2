// What `up` prints once it is up: the result, on standard output. No I/O.
import { type Config, formatAddress, formatUpstream } from '../../config/config.ts';

export interface Banner {
  readonly config: Config;
  /** The authorizer runs alone, for an Envoy of one's own. */
  readonly alone: boolean;
  readonly oryUrl: string | undefined;
  /** Login pages for a real Kratos. */
  readonly pagesUrl: string | undefined;
  readonly hints: string | undefined;
  /** The file that is watched. */
  readonly file: string | undefined;
}

export function bannerText({ config, alone, oryUrl, pagesUrl, hints, file }: Banner): string {
  const rows: [string, string][] = [];
  if (!alone) {
    rows.push(['edge', config.edge.publicUrl]);
    if (oryUrl !== undefined) rows.push(['Ory', `${oryUrl}  (for development)`]);
    if (pagesUrl !== undefined)
      rows.push(['login pages', `${pagesUrl}  (point Kratos’s ui_urls to /login, /settings and /error there)`]);
    for (const [name, upstream] of config.edge.upstreams) rows.push([`upstream ${name}`, formatUpstream(upstream)]);
  }
  rows.push(['authorizer', `http://${formatAddress(config.serve.http)}`]);
  rows.push(['health', `http://${formatAddress(config.serve.admin)}/health/ready`]);
  if (!alone) rows.push(['Envoy’s admin', `http://${formatAddress(config.edge.admin)}`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
  const edit =
    file === undefined
      ? 'For rules of your own: ory-envoy up --print-config > ory-envoy.yaml, and start up again.'
      : `A change of ${file} is in force as soon as it is saved.`;
  return [
    `\nThe ${alone ? 'authorizer' : 'edge'} is up.`,
    table,
    ...(hints ? [hints] : []),
    edit,
    'Ctrl-C stops everything.\n',
  ].join('\n\n');
}

export function bannerJson({ config, alone, oryUrl, pagesUrl, file }: Banner): object {
  return {
    event: 'up',
    ...(alone ? {} : { edge: config.edge.publicUrl, envoy_admin: `http://${formatAddress(config.edge.admin)}` }),
    ...(oryUrl === undefined ? {} : { ory: oryUrl }),
    ...(pagesUrl === undefined ? {} : { login_pages: pagesUrl }),
    authorizer: `http://${formatAddress(config.serve.http)}`,
    health: `http://${formatAddress(config.serve.admin)}/health/ready`,
    ...(file === undefined ? {} : { file }),
  };
}
