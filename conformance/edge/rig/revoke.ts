// `POST /revoke` as an application sends it.
import type { Edge } from './edge.ts';

/** For `serve.admin_token` of a suite's file. */
export const ADMIN_TOKEN = 'admin-token-of-nobody-anywhere';

export interface RevokeAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function postRevoke({ adminUrl }: Pick<Edge, 'adminUrl'>, body: object): Promise<RevokeAnswer> {
  const answer = await fetch(`${adminUrl}/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as RevokeAnswer['body'] };
}
