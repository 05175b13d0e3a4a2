// Whether a request is a person following a link, and where that person is sent instead of being denied. No I/O.
import type { Config, Rule } from '../../config/config.ts';
import { DENIALS } from '../reason.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { normalise } from '../request/normalise.ts';
import type { Deny } from '../verdict.ts';

/** A person following a link: GET, wants HTML, and no mark of a script's request. */
export function isNavigation(request: CheckRequest): boolean {
  if (request.method !== 'GET' || !acceptsHtml(request.accept)) return false;
  if (request.requestedWith !== undefined) return false;
  return (
    (request.secFetchMode ?? 'navigate') === 'navigate' &&
    ['document', 'iframe', 'frame'].includes(request.secFetchDest ?? 'document')
  );
}

function acceptsHtml(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') ?? false;
}

/**
 * Where a person can put the denial right, with the way back to an origin of the edge. Undefined where the denial is
 * answered as one: not a navigation, not a rule that redirects, nothing to put right.
 */
export function detourOf(verdict: Deny, request: CheckRequest, config: Config): string | undefined {
  const { reason, rule } = verdict;
  if (rule?.unauthenticated !== 'redirect' || !isNavigation(request)) return undefined;
  const target = DENIALS[reason].status === 401 ? config.loginUrl : remedyOf(verdict, config);
  if (target === undefined) return undefined;
  return withQuery(target, `return_to=${encodeURIComponent(ownUrl(request, rule, config))}`);
}

/**
 * The flow of Kratos in which a person gives what a session lacks: the second factor, or a login anew. Without a
 * `return_to`. Kratos's words and the configuration's alone: nothing of the request is in it.
 */
export function remedyOf({ remedyUrl, loginQuery }: Deny, config: Config): string | undefined {
  if (remedyUrl !== undefined) return reachable(remedyUrl, config);
  const flow = config.sessions?.loginFlowUrl;
  return flow === undefined || loginQuery === undefined ? undefined : withQuery(flow, loginQuery);
}

function withQuery(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** The address that Kratos gives itself; with `edge.ory_path`, the same below the edge's origin. */
function reachable(remedyUrl: string, { edge }: Config): string {
  const url = new URL(remedyUrl);
  url.hash = '';
  // Of two, Kratos takes the first.
  if (url.searchParams.has('return_to')) url.searchParams.delete('return_to');
  const { pathname, search, href } = url;
  if (!edge.ory || href.startsWith(`${edge.ory.publicUrl}/`)) return href;
  const selfService = pathname.indexOf('/self-service/');
  return selfService < 0 ? href : `${edge.ory.publicUrl}${pathname.slice(selfService)}${search}`;
}

/** The request's own URL as the client sees it: on the edge's public origin, or on the host that the rule names. */
function ownUrl(request: CheckRequest, rule: Rule, { edge }: Config): string {
  // A "#" is a part of the query here, and would begin a fragment there.
  return `${ownOrigin(request, rule, edge.publicUrl)}${request.path}${request.query}`.replace(
    /[^\x21-\x7e]|#/g,
    escapeByte,
  );
}

/** A host is believed only where a rule is for it; the port is that of `edge.public_url`, since a rule ignores ports. */
function ownOrigin(request: CheckRequest, rule: Rule, publicUrl: string): string {
  const host = rule.host ? normalise(request)?.host : undefined;
  if (host === undefined) return publicUrl;
  const { protocol, port } = new URL(publicUrl);
  return `${protocol}//${host}${port === '' ? '' : `:${port}`}`;
}

function escapeByte(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
