// `--with kratos=URL,hydra=URL,hydra-admin=URL`: real servers in place of those that the file names. Asks Hydra for its issuer.
import { isMap, parseDocument } from 'yaml';
import type { Config } from '../../config/config.ts';
import { UserError } from '../user-error.ts';

export interface Servers {
  readonly kratos?: string;
  /** `adminUrl`: where opaque tokens are asked about; without it they are not taken. */
  readonly hydra?: { readonly url: string; readonly issuer: string; readonly adminUrl?: string };
}

const TIMEOUT_MS = 5_000;
const EXAMPLE = '--with kratos=http://127.0.0.1:4433,hydra=http://127.0.0.1:4444,hydra-admin=http://127.0.0.1:4445';
const NAMES: readonly string[] = ['kratos', 'hydra', 'hydra-admin'];

/** @throws {UserError} for a value that is no such list, and for a Hydra that does not answer. */
export async function readServers(option: string | undefined): Promise<Servers> {
  if (option === undefined) return {};
  const given = new Map<string, string>();
  for (const entry of option.split(',')) {
    const [, name = '', url = ''] = /^([\w-]+)=(.*)$/.exec(entry.trim()) ?? [];
    if (!NAMES.includes(name))
      throw new UserError(
        `--with: "${entry}" is none of kratos=URL, hydra=URL and hydra-admin=URL. Write it as in ${EXAMPLE}.`,
        2,
      );
    if (given.has(name)) throw new UserError(`--with: ${name} is given twice. Keep one of them.`, 2);
    given.set(name, address(name, url));
  }
  const [kratos, hydra, adminUrl] = NAMES.map((name) => given.get(name));
  if (adminUrl !== undefined && hydra === undefined)
    throw new UserError(`--with: hydra-admin is given without hydra. Write both, as in ${EXAMPLE}.`, 2);
  return {
    ...(kratos === undefined ? {} : { kratos }),
    ...(hydra === undefined
      ? {}
      : {
          hydra: {
            url: hydra,
            issuer: await issuerOf(hydra),
            ...(adminUrl === undefined ? {} : { adminUrl }),
          },
        }),
  };
}

function address(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  if (!plain)
    throw new UserError(
      `--with: ${name}=${text} is not an http or https address. Give ${name === 'hydra-admin' ? 'Hydra’s admin' : `${name}’s public`} address, as in ${EXAMPLE}.`,
      2,
    );
  return text.replace(/\/+$/, '');
}

async function issuerOf(url: string): Promise<string> {
  const place = `${url}/.well-known/openid-configuration`;
  const why = (problem: string) =>
    new UserError(`Ory Hydra ${problem} at ${place}. Start it, or correct --with hydra=URL: its public address.`);
  const answer = await fetch(place, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' }).catch(() => {
    throw why('does not answer');
  });
  if (answer.status !== 200) throw why(`answers ${answer.status}`);
  const document: unknown = await answer.json().catch(() => undefined);
  const issuer = (document as { issuer?: unknown } | undefined)?.issuer;
  if (typeof issuer !== 'string' || issuer === '') throw why('names no issuer');
  return issuer;
}

/**
 * The same file with these servers. What was derived from the addresses before goes with them. `written`: what the file
 * means as it is, with `${NAME}` replaced.
 */
export function withServers(source: string, { kratos, hydra }: Servers, written: Config): string {
  if (kratos === undefined && hydra === undefined) return source;
  const document = parseDocument(source, { schema: 'core', resolveKnownTags: false });
  const ory = document.get('ory', true);
  if (!isMap(ory)) throw new UserError('--with: the file’s key "ory" is not written out as a map. Write it out.', 2);
  if (kratos !== undefined) {
    const { loginUrl, sessions } = written;
    if (loginUrl !== undefined && sessions && isOn(loginUrl, sessions.kratosUrl))
      document.deleteIn(['ory', 'login_url']);
    document.setIn(['ory', 'kratos', 'public_url'], kratos);
  }
  if (hydra !== undefined) {
    if (document.hasIn(['ory', 'hydra', 'jwks_url'])) document.deleteIn(['ory', 'hydra', 'jwks_url']);
    // No other Hydra is told of this one's tokens.
    if (hydra.adminUrl !== undefined) document.setIn(['ory', 'hydra', 'admin_url'], hydra.adminUrl);
    else if (document.hasIn(['ory', 'hydra', 'admin_url'])) document.deleteIn(['ory', 'hydra', 'admin_url']);
    document.setIn(['ory', 'hydra', 'public_url'], hydra.url);
    document.setIn(['ory', 'hydra', 'issuer'], hydra.issuer);
  }
  return document.toString();
}

function isOn(url: string, server: string): boolean {
  return new URL(url).origin === new URL(server).origin;
}
