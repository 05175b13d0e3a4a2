// The edge caches of the Envoys that this authorizer feeds: what a revocation empties. No I/O of its own.

export interface EdgeCaches {
  /** How many Envoys this authorizer feeds; 0: none. */
  readonly fed: number;
  /** Empties them; resolves when Envoy has taken it. @throws {PushError} */
  empty(): Promise<void>;
}

/** What a revocation has come to; what the authorizer itself remembered is forgotten in any case. */
export interface Revoked {
  /** `none`: this authorizer feeds no Envoy. */
  readonly edgeCaches: 'emptied' | 'none';
  /** For how long Envoys may still go by what they remember: 0 where they were emptied. */
  readonly rememberedForMs: number;
}

/** Envoy did not take what was pushed: what it remembers may still be there. The message is for people, without ids. */
export class PushError extends Error {
  override readonly name = 'PushError';
  readonly code = 'ERR_PUSH';
}

/** Where no Envoy reads its filters from this authorizer. */
export const NO_EDGE_CACHES: EdgeCaches = { fed: 0, empty: async () => {} };
