// The one place that says whether an access token is a JWT or opaque, and so who verifies it. No I/O of its own.
import { rejected, type Verifier } from './identity.ts';

/** Who verifies which; `opaque` is undefined where the file does not say whom to ask. */
export interface TokenVerifiers {
  readonly jwt: Verifier;
  readonly opaque: Verifier | undefined;
}

/** A longer one is sent to nobody. Hydra's have 87. */
const MAX_OPAQUE_BYTES = 4_096;

/** Verifies `access_token` credentials. */
export function createAccessTokenVerifier({ jwt, opaque }: TokenVerifiers): Verifier {
  return {
    async verify(credential, enough) {
      switch (formOf(credential.value)) {
        case 'jwt':
          return await jwt.verify(credential, enough);
        case 'opaque':
          if (!opaque) return rejected('token_kind_wrong');
          return credential.value.length > MAX_OPAQUE_BYTES
            ? rejected('token_malformed')
            : await opaque.verify(credential, enough);
        case 'neither':
          return rejected('token_kind_wrong');
      }
    },
    stillTrusted(identity) {
      if (identity.kind !== 'token') return false;
      return (identity.proof === 'key' ? jwt : opaque)?.stillTrusted(identity) ?? false;
    },
  };
}

/** Hydra's own mark on opaque access tokens. Its siblings mark refresh tokens, codes and API keys. */
const ORY_PREFIX = 'ory_';
const ACCESS_TOKEN_PREFIX = 'ory_at_';

/**
 * Two dots make a JWT, fewer an opaque token. More than two are no access token in any form (five parts are a JWE), and a
 * prefix of Ory's that says another kind is believed: such a secret is sent nowhere.
 */
function formOf(token: string): 'jwt' | 'opaque' | 'neither' {
  if (token.startsWith(ORY_PREFIX)) return token.startsWith(ACCESS_TOKEN_PREFIX) ? 'opaque' : 'neither';
  const parts = token.split('.', 4).length;
  return parts === 3 ? 'jwt' : parts < 3 ? 'opaque' : 'neither';
}
