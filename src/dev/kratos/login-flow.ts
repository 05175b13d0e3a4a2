// A login flow as Kratos hands it out: the form for a password, or the one for the second factor. No I/O.
import { flowAction, flowHead, type LoginFlow } from './flows.ts';
import type { Identity } from './identities.ts';
import { confirmItIsYou, info, type Message, secondFactorWanted } from './messages.ts';
import { csrfNode, input, type Node } from './nodes.ts';

/** `token` is the csrf token of a browser flow, '' in an API flow; `identity` is whose session asks, if one does. */
export function loginFlowJson(
  flow: LoginFlow,
  base: string,
  token: string,
  identity: Identity | undefined,
): Record<string, unknown> {
  const issuedAt = new Date(flow.issuedAtMs).toISOString();
  const nodes = flow.aal === 'aal2' ? totpNodes(flow, identity) : passwordNodes(flow, identity);
  const messages = shownMessages(flow);
  return {
    ...flowHead(flow),
    ui: {
      action: flowAction(flow, base),
      method: 'POST',
      nodes: [csrfNode(token), ...nodes],
      ...(messages.length === 0 ? {} : { messages }),
    },
    created_at: issuedAt,
    updated_at: issuedAt,
    refresh: flow.refresh,
    requested_aal: flow.aal,
    state: 'choose_method',
  };
}

function shownMessages(flow: LoginFlow): readonly Message[] {
  if (flow.messages.length > 0 || flow.fieldMessages.size > 0) return flow.messages;
  return [...(flow.refresh ? [confirmItIsYou] : []), ...(flow.stepsUp ? [secondFactorWanted] : [])];
}

function passwordNodes(flow: LoginFlow, identity: Identity | undefined): Node[] {
  const known = flow.refresh ? identity?.identifier : undefined;
  const identifier =
    known === undefined
      ? input(
          'default',
          { name: 'identifier', type: 'text', value: flow.identifier, required: true },
          info(1070004, 'E-mail'),
        )
      : input('default', { name: 'identifier', type: 'hidden', value: known });
  const label = flow.refresh ? info(1010001, 'Sign in') : info(1010022, 'Sign in with password');
  return [
    identifier,
    input(
      'password',
      { name: 'password', type: 'password', required: true, autocomplete: 'current-password' },
      info(1070001, 'Password'),
      flow.fieldMessages.get('password'),
    ),
    input('password', { name: 'method', type: 'submit', value: 'password' }, label),
  ];
}

/** None where the identity has no second factor: Kratos, too, begins such a flow, which leads nowhere. */
function totpNodes(flow: LoginFlow, identity: Identity | undefined): Node[] {
  if (identity?.totpSecret === undefined) return [];
  return [
    input(
      'totp',
      { name: 'totp_code', type: 'text', value: '', required: true },
      info(1010006, 'Authentication code'),
      flow.fieldMessages.get('totp_code'),
    ),
    input('totp', { name: 'method', type: 'submit', value: 'totp' }, info(1010009, 'Use Authenticator')),
  ];
}
