// A person's own sessions: listed, and ended from another device. No I/O.
import { type DevContext, fault, json, noContent } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import { presentedSession } from './presented.ts';
import { type Session, sessionJson } from './sessions.ts';

/** `GET /sessions`: the others, not the one that asks. */
export function listOwnSessions(c: DevContext, state: State): Response {
  const mine = asking(c, state);
  if (mine instanceof Response) return mine;
  const others = state.sessions.listOf(mine.identity).filter((session) => session !== mine);
  const base = baseUrl(c, state.url);
  return json(
    c,
    200,
    others.map((session) => sessionJson(session, base)),
  );
}

/** `DELETE /sessions`: ends the others and says how many there were. */
export function endOtherSessions(c: DevContext, state: State): Response {
  const mine = asking(c, state);
  if (mine instanceof Response) return mine;
  const others = state.sessions.listOf(mine.identity).filter((session) => session !== mine);
  for (const session of others) state.sessions.end(session);
  return json(c, 200, { count: others.length });
}

/** `DELETE /sessions/{id}`: whether there is such a one, and whose it is, is told to nobody. */
export function endOwnSession(c: DevContext, state: State): Response {
  const mine = asking(c, state);
  if (mine instanceof Response) return mine;
  const id = c.req.param('id') ?? '';
  if (id === mine.id) return fault(c, 400, { message: 'cannot revoke current session' });
  const session = state.sessions.get(id);
  if (session?.identity === mine.identity) state.sessions.end(session);
  return noContent(c);
}

/** Kratos asks for no second factor here: half a login can end the others. */
function asking(c: DevContext, state: State): Session | Response {
  const session = presentedSession(c, state.sessions);
  if (!session) return fault(c, 401, { reason: 'No valid session cookie found.' });
  return session;
}
