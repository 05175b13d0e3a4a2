// The admin API of sessions. No I/O.
import { type DevContext, fault, json, noContent } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import type { Identity } from './identities.ts';
import { type Session, sessionJson } from './sessions.ts';

const maxPage = 500;

/** `GET /admin/sessions`: all that live; with identity and devices where `expand` asks for them. */
export function listSessions(c: DevContext, state: State): Response {
  const wanted = c.req.query('active');
  const found = wanted === 'false' ? [] : state.sessions.list().slice(0, maxPage);
  return json(
    c,
    200,
    found.map((session) => expanded(c, state, session, null)),
  );
}

/** `GET /admin/sessions/{id}`: also one that has ended. */
export function showSession(c: DevContext, state: State): Response {
  const session = state.sessions.get(c.req.param('id') ?? '');
  return session ? json(c, 200, expanded(c, state, session, [])) : fault(c, 404, {});
}

/** `GET /admin/identities/{id}/sessions`. Of an identity that is not there, none. */
export function listIdentitySessions(c: DevContext, state: State): Response {
  const identity = state.identities.get(c.req.param('id') ?? '');
  const found = identity === undefined ? [] : state.sessions.listOf(identity).slice(0, maxPage);
  const base = baseUrl(c, state.url);
  return json(
    c,
    200,
    found.map((session) => sessionJson(session, base)),
  );
}

/** `DELETE /admin/identities/{id}/sessions` */
export function deleteIdentitySessions(c: DevContext, { sessions }: State, identity: Identity): Response {
  return sessions.endAllOf(identity) > 0 ? noContent(c) : fault(c, 404, {});
}

/** `DELETE /admin/sessions/{id}`: once more is not an error, an unknown one is. */
export function deleteSession(c: DevContext, { sessions }: State): Response {
  const id = c.req.param('id') ?? '';
  if (!/^[0-9a-f-]{36}$/i.test(id)) return fault(c, 400, { message: 'The id of a session is a UUID.' });
  return sessions.revoke(id) ? noContent(c) : fault(c, 404, {});
}

function expanded(c: DevContext, { url }: State, session: Session, noDevices: null | []): Record<string, unknown> {
  const expand = (c.req.queries('expand') ?? []).map((value) => value.toLowerCase());
  return {
    ...sessionJson(session, baseUrl(c, url)),
    ...(expand.includes('identity') ? {} : { identity: null }),
    ...(expand.includes('devices') ? {} : { devices: noDevices }),
  };
}
