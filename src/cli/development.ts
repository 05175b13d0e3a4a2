// What `up` adds for development: a policy where there is no file, a development Ory and a demo application where the
// policy leads to them and nothing answers there. Starts processes, asks loopback ports.
import type { Config } from '../config/config.ts';
import { ANY } from '../config/pattern.ts';
import { accessText } from './rule-text.ts';
import { answers } from './up/answers.ts';
import type { Journal } from './up/journal.ts';
import type { AppSettings, Facts, OrySettings, PagesSettings } from './up/messages.ts';
import { type NodePart, startNodePart } from './up/node-part.ts';
import { Part } from './up/part.ts';
import { partEvents } from './up/part-events.ts';

const ORY_PORT = 4455;
const APP_PORT = 4456;
const PAGES_PORT = 4457;
/** What the `ui_url`s of a real Kratos point to, for development. */
export const PAGES_URL = `http://127.0.0.1:${PAGES_PORT}`;

/** A whole file: `up --print-config` shows it, and it is there to be edited. */
export const DEVELOPMENT_POLICY = `# What \`ory-envoy up\` does where there is no ory-envoy.yaml. Save it as ory-envoy.yaml, start \`up\`, and edit it:
# a change is in force as soon as it is saved.
ory:
  url: http://127.0.0.1:${ORY_PORT}            # the development Ory, which up starts where nothing answers there
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

export class Development {
  readonly #journal: Journal;
  #ory: Part<NodePart<OrySettings>> | undefined;
  #app: Part<NodePart<AppSettings>> | undefined;
  #pages: Part<NodePart<PagesSettings>> | undefined;
  #appSettings: AppSettings | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /**
   * Starts what the configuration leads to and nobody serves, and tells what runs of the change. `must`: start it even
   * where something answers, so that a port in use is an error and not somebody else's Ory.
   * @throws {UserError} where a port is taken.
   */
  async serve(config: Config, must: boolean): Promise<void> {
    const ory = `http://127.0.0.1:${ORY_PORT}`;
    const app = `http://127.0.0.1:${APP_PORT}`;
    if (!this.#ory && leadsToOry(config, ory) && (must || !(await answers(new URL(ory))))) await this.#startOry(config);
    const leadsToApp = [...config.edge.upstreams.values()].some(({ url }) => url.origin === app);
    const settings = appSettings(config, ory, this.#pages && PAGES_URL);
    if (this.#app) await this.#changeApp(settings);
    else if (leadsToApp && (must || !(await answers(new URL(app))))) await this.#startApp(settings);
  }

  /** Serves login pages for a real Kratos. @throws {UserError} where the port is taken. */
  async servePages(config: Config, kratosUrl: string): Promise<void> {
    const settings: PagesSettings = {
      part: 'pages',
      port: PAGES_PORT,
      kratosUrl,
      browserUrl: kratosForBrowsers(config) ?? kratosUrl,
      sessionCookies: (config.sessions?.cookies ?? []).map(({ name, prefix }) => (prefix ? `${name}*` : name)),
      returnOrigins: [config.edge.publicUrl],
    };
    const part = new Part({
      start: (signal) => startNodePart(settings, { signal, onLine: (line) => this.#journal.line('pages', line) }),
      events: partEvents('pages', this.#journal),
    });
    this.#pages = part;
    await part.start();
  }

  /** What the development Ory says of itself; undefined where it does not run. */
  get ory(): { readonly url: string; readonly facts: Facts } | undefined {
    const running = this.#ory?.running;
    return running && { url: `http://127.0.0.1:${ORY_PORT}`, facts: running.facts };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#app?.stop(), this.#pages?.stop(), this.#ory?.stop()]);
  }

  async #startOry(config: Config): Promise<void> {
    const settings: OrySettings = { part: 'ory', port: ORY_PORT, audience: audiencesOf(config) };
    const part = new Part({
      start: (signal) => startNodePart(settings, { signal, onLine: (line) => this.#journal.line('ory', line) }),
      events: partEvents('ory', this.#journal),
    });
    this.#ory = part;
    await part.start().catch((error: unknown) => {
      this.#ory = undefined;
      throw error;
    });
  }

  async #startApp(settings: AppSettings): Promise<void> {
    this.#appSettings = settings;
    const part = new Part({
      start: (signal) =>
        startNodePart(this.#appSettings ?? settings, { signal, onLine: (line) => this.#journal.line('app', line) }),
      events: partEvents('app', this.#journal),
    });
    this.#app = part;
    await part.start().catch((error: unknown) => {
      this.#app = undefined;
      throw error;
    });
  }

  async #changeApp(settings: AppSettings): Promise<void> {
    this.#appSettings = settings;
    // Where it is just being started again, it begins with them.
    await this.#app?.running?.configure(settings).catch(() => {});
  }
}

function leadsToOry({ sessions, tokens }: Config, origin: string): boolean {
  return [sessions?.kratosUrl, tokens?.jwksUrl].some((url) => url !== undefined && new URL(url).origin === origin);
}

function audiencesOf({ rules, edge }: Config): string[] {
  const wanted = rules.flatMap(({ access }) =>
    access.kind === 'anyone' ? [] : access.anyOf.flatMap((one) => (one.kind === 'token' ? one.audiences : [])),
  );
  return [...new Set([edge.publicUrl, ...wanted])];
}

/** `pages`: the login pages of a real Kratos, which has no logout that a link could lead to. */
function appSettings(config: Config, ory: string, pages: string | undefined): AppSettings {
  const { edge, identityHeaders } = config;
  const kratos = kratosForBrowsers(config) ?? ory;
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
