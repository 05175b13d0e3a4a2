// What has been revoked, so that nothing from before is used again. No I/O.

/** Of what everything is to be forgotten: a session by Kratos's id, whoever has that id (`identity.id`, `sub`), or all. */
export type Revocation = { readonly kind: 'session' | 'identity'; readonly id: string } | { readonly kind: 'all' };
