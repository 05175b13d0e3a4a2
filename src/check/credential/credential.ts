// What a client presented, before anyone has looked at its worth. No I/O.

export type Credential =
  /** `value` includes the cookie's name: `ory_kratos_session=…`. */
  | { readonly kind: 'session_cookie'; readonly value: string }
  | { readonly kind: 'session_token'; readonly value: string }
  | { readonly kind: 'access_token'; readonly value: string };

export type Extraction =
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'ambiguous' }
  | { readonly kind: 'found'; readonly credential: Credential };

export const ABSENT: Extraction = { kind: 'absent' };
export const MALFORMED: Extraction = { kind: 'malformed' };
export const AMBIGUOUS: Extraction = { kind: 'ambiguous' };
