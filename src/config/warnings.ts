// What is right in itself and will not work as its author hopes: said by `validate`, `serve` and `up`, no reason not to
// start. No I/O.
import { parse } from 'tldts';
import type { Access, Config, HeaderSource, Requirement, SessionRequirement, TokenRequirement } from './config.ts';
import { nearest } from './nearest.ts';
import { hostMatches } from './pattern.ts';
import { requirementText } from './requirement-text.ts';

/** One sentence each, with the way out. */
export function warningsOf(config: Config): string[] {
  return [
    ...browserSessions(config),
    ...otherHosts(config),
    ...unreachableAddress(config),
    ...unreachableFlow(config),
    ...networkKey(config),
    ...redirectsOfNobody(config),
    ...needlessAlternatives(config),
    ...unknownMembers(config),
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

/** Only a GET is a navigation. */
function redirectsOfNobody({ rules }: Config): string[] {
  return rules
    .filter(({ unauthenticated, methods }) => unauthenticated === 'redirect' && methods && !methods.includes('GET'))
    .map(
      ({ name }) =>
        `rule ${name}: unauthenticated: redirect sends nobody to the login, since people come with GET, which is not in match.methods. Add GET, or take redirect out.`,
    );
}

/** More are made by a program, and comparing each with each would take their square. */
const MAX_COMPARED = 100;

function needlessAlternatives({ rules }: Config): string[] {
  return rules.flatMap(({ name, access }) => {
    if (access.kind !== 'require' || access.anyOf.length > MAX_COMPARED) return [];
    return access.anyOf.flatMap((one, i) => {
      const wider = access.anyOf.findIndex(
        (other, j) => i !== j && suffices(other, one) && (j < i || !suffices(one, other)),
      );
      const other = access.anyOf[wider];
      if (!other) return [];
      return [
        `rule ${name}: any_of[${i}] (${requirementText(one)}) adds nothing, since any_of[${wider}] (${requirementText(other)}) is enough. ` +
          'Take out the one that is not meant.',
      ];
    });
  });
}

/** Whether whatever satisfies `narrow` satisfies `wide`. */
function suffices(wide: Requirement, narrow: Requirement): boolean {
  if (wide.kind === 'session') return narrow.kind === 'session' && sessionSuffices(wide, narrow);
  return narrow.kind === 'token' && tokenSuffices(wide, narrow);
}

function sessionSuffices(wide: SessionRequirement, narrow: SessionRequirement): boolean {
  const level = ({ aal }: SessionRequirement) => [undefined, 'aal1', 'aal2'].indexOf(aal);
  const age = ({ maxAgeMs }: SessionRequirement) => maxAgeMs ?? Number.POSITIVE_INFINITY;
  return level(wide) <= level(narrow) && age(wide) >= age(narrow);
}

function tokenSuffices(wide: TokenRequirement, narrow: TokenRequirement): boolean {
  const claims = new Set(narrow.claims.map((claim) => JSON.stringify(claim)));
  const anyAudience = wide.audiences.length === 0;
  return (
    (anyAudience || (narrow.audiences.length > 0 && narrow.audiences.every((one) => wide.audiences.includes(one)))) &&
    wide.scopes.every((scope) => narrow.scopes.includes(scope)) &&
    wide.claims.every((claim) => claims.has(JSON.stringify(claim)))
  );
}

/** What Kratos's whoami may have (v1.3.1 and Ory Network), and `verified_email`, which is ours. */
const SESSION_MEMBERS =
  'id active expires_at authenticated_at authenticator_assurance_level authentication_methods issued_at identity devices tokenized'.split(
    ' ',
  );
const IDENTITY_MEMBERS =
  'id external_id schema_id schema_url state state_changed_at traits verifiable_addresses recovery_addresses metadata_public created_at updated_at organization_id verified_email'.split(
    ' ',
  );

function unknownMembers({ identityHeaders }: Config): string[] {
  return identityHeaders.flatMap(({ name, sources }) =>
    sources.flatMap((source) => {
      const wrong = unknownMember(source);
      if (!wrong) return [];
      const { member, of, known } = wrong;
      const near = nearest(member, known);
      return [
        `identity_headers.${name}: ${source.kind}.${source.path.join('.')} is always empty, since ${of} of Kratos has no "${member}". ` +
          (near === undefined ? `It has ${known.join(', ')}.` : `Did you mean "${near}"?`),
      ];
    }),
  );
}

function unknownMember({ kind, path: [first, second] }: HeaderSource) {
  if (kind !== 'session' || first === undefined) return undefined;
  if (!SESSION_MEMBERS.includes(first)) return { member: first, of: 'a session', known: SESSION_MEMBERS };
  if (first !== 'identity' || second === undefined || IDENTITY_MEMBERS.includes(second)) return undefined;
  return { member: second, of: 'an identity', known: IDENTITY_MEMBERS };
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
