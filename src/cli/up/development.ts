// What `up` adds for development: a policy where there is no file, a development Ory and a demo application where the
// policy leads to them and nothing answers there. Starts processes, asks loopback ports.
import type { Config } from '../../config/config.ts';
import { ANY } from '../../config/pattern.ts';
import { accessText } from '../rule-text.ts';
import { answers } from './answers.ts';
import type { Journal } from './journal.ts';
import { KeptPart } from './kept-part.ts';
import type { AppSettings, Facts, OrySettings, PagesSettings } from './messages.ts';

const ORY_PORT = 4455;
const APP_PORT = 4456;
const PAGES_PORT = 4457;
const ORY_URL = `http://127.0.0.1:${ORY_PORT}`;
const APP_URL = `http://127.0.0.1:${APP_PORT}`;
/** What the `ui_url`s of a real Kratos point to, for development. */
export const PAGES_URL = `http://127.0.0.1:${PAGES_PORT}`;

/** A whole file: `up --print-config` shows it, and it is there to be edited. */
export const DEVELOPMENT_POLICY = `# What \`ory-envoy up\` does where there is no ory-envoy.yaml. Save it as ory-envoy.yaml, start \`up\`, and edit it:
# a change is in force as soon as it is saved.
ory:
  url: http://127.0.0.1:${ORY_PORT}            # the development Ory, which up starts where nothing answers there
  hydra: { admin_url: http://127.0.0.1:${ORY_PORT} }   # opaque tokens are asked about there; JWTs are verified by their keys
tokens:
  audiences: [http://127.0.0.1:8080]
rules:                                   # first match wins; no match is a denial
  - name: public
    match: { path: "/public/**" }
    allow: anyone
  - name: api
    match: { path: "/api/**" }
    require: { token: {} }
  - name: app
    match: { path: "/**" }
    require: { session: {} }
    unauthenticated: redirect            # a browser goes to the login
edge:
  listen: 127.0.0.1:8080
  upstream: http://127.0.0.1:${APP_PORT}       # the demo application, likewise
`;

type DevelopmentSettings = OrySettings | AppSettings | PagesSettings;

export class Development {
  readonly #journal: Journal;
  readonly #parts = new Map<DevelopmentSettings['part'], KeptPart<DevelopmentSettings>>();
  #kratosUrl: string | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /**
   * Starts what the configuration leads to and nobody serves. `must`: start it even where something answers, so that a
   * port in use is an error and not somebody else's Ory.
   * @throws {UserError} where a port is taken.
   */
  async start(config: Config, must: boolean): Promise<void> {
    const wanted = async (url: string) => must || !(await answers(new URL(url)));
    if (!this.#parts.has('ory') && leadsToOry(config, ORY_URL) && (await wanted(ORY_URL)))
      await this.#start(orySettings(config));
    const leadsToApp = [...config.edge.upstreams.values()].some(({ url }) => url.origin === APP_URL);
    if (!this.#parts.has('app') && leadsToApp && (await wanted(APP_URL))) await this.#start(this.#appSettings(config));
  }

  /** Serves login pages for a real Kratos. @throws {UserError} where the port is taken. */
  async servePages(config: Config, kratosUrl: string): Promise<void> {
    this.#kratosUrl = kratosUrl;
    await this.#start(pagesSettings(config, kratosUrl));
  }

  /** Tells what runs of the configuration that is in force. */
  async configure(config: Config): Promise<void> {
    const all: DevelopmentSettings[] = [orySettings(config), this.#appSettings(config)];
    if (this.#kratosUrl !== undefined) all.push(pagesSettings(config, this.#kratosUrl));
    await Promise.all(all.map((settings) => this.#parts.get(settings.part)?.tell(settings)));
  }

  /** What the development Ory says of itself; undefined where it does not run. */
  get ory(): { readonly url: string; readonly facts: Facts } | undefined {
    const running = this.#parts.get('ory')?.running;
    return running && { url: ORY_URL, facts: running.facts };
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#parts.values()].map((part) => part.stop()));
  }

  async #start(settings: DevelopmentSettings): Promise<void> {
    const part = new KeptPart(settings, this.#journal);
    this.#parts.set(settings.part, part);
    await part.start().catch((error: unknown) => {
      this.#parts.delete(settings.part);
      throw error;
    });
  }

  #appSettings(config: Config): AppSettings {
    return appSettings(config, this.#parts.has('pages') ? PAGES_URL : undefined);
  }
}

function leadsToOry({ sessions, tokens }: Config, origin: string): boolean {
  const urls = [sessions?.kratosUrl, tokens?.jwksUrl, tokens?.introspection?.url];
  return urls.some((url) => url !== undefined && new URL(url).origin === origin);
}

function audiencesOf({ rules, edge }: Config): string[] {
  const wanted = rules.flatMap(({ access }) =>
    access.kind === 'anyone' ? [] : access.anyOf.flatMap((one) => (one.kind === 'token' ? one.audiences : [])),
  );
  return [...new Set([edge.publicUrl, ...wanted])];
}

function orySettings(config: Config): OrySettings {
  return { part: 'ory', port: ORY_PORT, audience: audiencesOf(config) };
}

function pagesSettings(config: Config, kratosUrl: string): PagesSettings {
  return {
    part: 'pages',
    port: PAGES_PORT,
    kratosUrl,
    browserUrl: kratosForBrowsers(config) ?? kratosUrl,
    sessionCookies: config.sessionCookies.map(({ name, prefix }) => (prefix ? `${name}*` : name)),
    returnOrigins: [config.edge.publicUrl],
  };
}

/** `pages`: the login pages of a real Kratos, which has no logout that a link could lead to. */
function appSettings(config: Config, pages: string | undefined): AppSettings {
  const { edge, identityHeaders } = config;
  const kratos = kratosForBrowsers(config) ?? ORY_URL;
  const rules = clickableRules(config);
  const returnTo = (path: string) => `return_to=${encodeURIComponent(`${edge.publicUrl}${path}`)}`;
  const afterwards = config.rules.find((rule) => rule.access.kind !== 'require' && rules.some(named(rule.name)));
  return {
    part: 'app',
    port: APP_PORT,
    loginUrl: `${kratos}/self-service/login/browser?${returnTo('/')}`,
    // To a page that is open: any other would ask to log in again.
    logoutUrl: `${pages ?? `${kratos}/ui`}/logout?${returnTo(rules.find(named(afterwards?.name))?.href ?? '/')}`,
    settingsUrl: `${kratos}/self-service/settings/browser?${returnTo('/')}`,
    identityHeaders: identityHeaders.map((header) => header.name),
    rules,
  };
}

function named(name: string | undefined) {
  return (one: { readonly name: string }) => one.name === name;
}

function kratosForBrowsers({ edge, sessions }: Config): string | undefined {
  return edge.ory?.publicUrl ?? sessions?.kratosUrl;
}

/** A link for each rule that a click can try: GET, and not on a host of its own. */
function clickableRules({ rules }: Config): AppSettings['rules'] {
  return rules
    .filter(({ host, methods }) => host === undefined && (methods === undefined || methods.includes('GET')))
    .map(({ name, path, access }) => {
      const href = `/${path.segments.map((segment) => (segment === ANY ? 'any' : segment)).join('/')}`;
      return { name, href: path.rest && path.segments.length > 0 ? `${href}/` : href, note: accessText(access) };
    });
}

/** Where to click, whom to log in as, what to type. */
export function hints(config: Config, ory: { readonly url: string; readonly facts: Facts }): string {
  const { users = [], client } = ory.facts;
  const edge = config.edge.publicUrl;
  const [user] = users;
  const people = users
    .map(
      ({ email, password, totpSecret }) =>
        `  ${email}  password ${password}${totpSecret ? '  and a second factor, which the page shows' : ''}`,
    )
    .join('\n');
  const login = [
    `  FLOW=$(curl -s ${ory.url}/self-service/login/api | sed 's/.*"action":"\\([^"]*\\)".*/\\1/')`,
    `  SESSION=$(curl -s "$FLOW" -H 'content-type: application/json' -d '{"method":"password","identifier":"${user?.email}","password":"${user?.password}"}' | sed 's/.*"session_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -i ${edge}/ -H "X-Session-Token: $SESSION"`,
  ].join('\n');
  const token = [
    `  TOKEN=$(curl -s -u ${client?.id}:${client?.secret} ${ory.url}/oauth2/token -d grant_type=client_credentials -d audience=${edge} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -i ${edge}/api/ -H "Authorization: Bearer $TOKEN"`,
  ].join('\n');
  return `Open ${edge}/ in a browser and log in as one of these:\n${people}\n\nOr from a shell, refused, with a session, with a token:\n  curl -i ${edge}/\n\n${login}\n\n${token}`;
}
