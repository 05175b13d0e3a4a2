// What is right in itself and will not work as its author hopes: said by `validate`, `serve` and `up`, no reason not to
// start. No I/O.
import { parse } from 'tldts';
import type { Access, Config } from './config.ts';
import { hostMatches } from './pattern.ts';

/** One sentence each, with the way out. */
export function warningsOf(config: Config): string[] {
  return [
    ...browserSessions(config),
    ...otherHosts(config),
    ...unreachableAddress(config),
    ...unreachableFlow(config),
    ...networkKey(config),
  ];
}

/** A cookie that another site's Kratos sets is never sent to the edge. */
function browserSessions({ sessions, edge, loginUrl }: Config): string[] {
  if (!sessions || edge.ory) return [];
  const here = new URL(edge.publicUrl).hostname;
  const kratos = new URL(loginUrl ?? sessions.kratosUrl).hostname;
  if (!isPublicName(kratos) || siteOf(kratos) === siteOf(here)) return [];
  return [
    `browsers will never send the session cookie to the edge: people log in at ${kratos} and the edge is ${here}, which is another site. ` +
      'Set edge.ory_path (such as /.ory) to have Ory on the edge’s own origin, or give Kratos an address on the edge’s site ' +
      '(on Ory Network a custom domain). Clients that send X-Session-Token or a bearer are not concerned.',
  ];
}

/** With Ory on the edge's own origin the session cookie belongs to that one host. */
function otherHosts({ edge, rules }: Config): string[] {
  const here = new URL(edge.publicUrl).hostname;
  return rules
    .filter(
      ({ host, unauthenticated }) => edge.ory && unauthenticated === 'redirect' && host && !hostMatches(host, here),
    )
    .map(
      ({ name, host }) =>
        `rule ${name}: the login below edge.ory_path gives a session to ${here} alone, and this rule is for ${host?.source}. ` +
        'Give Kratos an address and a cookie domain that both hosts share, instead of edge.ory_path.',
    );
}

/** Redirects and Ory's pages lead to `public_url`, and nobody can go to "every address of this machine". */
function unreachableAddress({ edge, loginUrl }: Config): string[] {
  const { hostname } = new URL(edge.publicUrl);
  if ((loginUrl === undefined && !edge.ory) || !['0.0.0.0', '[::]'].includes(hostname)) return [];
  return [`people would be sent back to ${edge.publicUrl}, which is no address to go to: set edge.public_url.`];
}

/** A login page of one's own says nothing about where browsers reach Kratos itself. */
function unreachableFlow({ sessions, loginUrl, rules }: Config): string[] {
  if (!sessions || loginUrl === undefined) return [];
  const { hostname } = new URL(sessions.loginFlowUrl);
  if (isPublicName(hostname) || hostname === new URL(loginUrl).hostname) return [];
  return rules
    .filter(({ access, unauthenticated }) => unauthenticated === 'redirect' && asksForMore(access))
    .map(
      ({ name }) =>
        `rule ${name}: people would be sent to ${sessions.loginFlowUrl} for the second factor or a login anew, and ${hostname} looks like a name that no browser knows. ` +
        'Set ory.login_url to Kratos’s own flow as browsers reach it (…/self-service/login/browser), or set edge.ory_path.',
    );
}

function asksForMore(access: Access): boolean {
  return (
    access.kind === 'require' &&
    access.anyOf.some((one) => one.kind === 'session' && (one.aal !== undefined || one.maxAgeMs !== undefined))
  );
}

function networkKey({ edge }: Config): string[] {
  if (!edge.ory || edge.ory.apiKey !== undefined || !edge.ory.kratosUrl.hostname.endsWith('.oryapis.com')) return [];
  return [
    'edge.ory_path leads to Ory Network, which writes the edge’s own address into its pages only for a project’s API key: set ory.api_key.',
  ];
}

/** Whether a browser could reach it by this name: of a cluster's own names nothing can be said. */
function isPublicName(host: string): boolean {
  const { isIp, isIcann, isPrivate } = parse(host, { allowPrivateDomains: true });
  return host === 'localhost' || isIp === true || isIcann === true || isPrivate === true;
}

/** The cookie's reach: one registrable domain, by the public suffix list; addresses and single names are their own. */
function siteOf(host: string): string {
  return parse(host, { allowPrivateDomains: true }).domain ?? host;
}
