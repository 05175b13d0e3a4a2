// What Hydra's introspection answers about an opaque token that has these claims. No I/O.

/** Scopes are one text there, and of what has ended nothing is said. */
export function introspected(claims: object, nowMs: number): object {
  const { scp, exp, active = true, ...others } = claims as Readonly<Record<string, unknown>>;
  if (active !== true || (typeof exp === 'number' && exp * 1_000 <= nowMs)) return { active: false };
  return {
    active,
    token_use: 'access_token',
    ...(Array.isArray(scp) && scp.length > 0 ? { scope: scp.join(' ') } : {}),
    ...(exp === undefined ? {} : { exp }),
    ...others,
  };
}
