// The cookies that go to the client with a yes. No I/O.
import type { Config } from '../../config/config.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { Allow } from '../verdict.ts';
import { arrived } from './login-loop.ts';
import { isNavigation } from './navigation.ts';

/** What Ory set for this one client; and whoever has arrived with a session is in no login loop. */
export function setCookies({ identity, setCookie }: Allow, request: CheckRequest, { edge }: Config): readonly string[] {
  if (identity?.kind !== 'session' || !isNavigation(request)) return setCookie;
  const ended = arrived(request, edge.publicUrl);
  return ended === undefined ? setCookie : [...setCookie, ended];
}
