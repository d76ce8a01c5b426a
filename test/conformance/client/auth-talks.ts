import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** A gateway before the suite's server, with a credential for it. */
export interface AuthWorld {
  readonly mount: URL;
  readonly token: string;
  readonly revision: string;
  /** The owner gives the consent that the gateway itself needs. Rejects where there is nobody to ask. */
  connect(): Promise<void>;
  /** Resolves when the gateway lists tools of the server, or has not for a while. */
  listed(): Promise<boolean>;
}

/** What a scenario about OAuth hands over to a client. */
export type AuthContext = Readonly<Record<string, string>>;

/** How a scenario about OAuth is played: what is configured for the server, and what is done then. */
export interface AuthTalk {
  /** `credential` of the service; `write` puts a secret into a file and returns its place. */
  credential(context: AuthContext, write: (secret: string) => { readonly file: string }): object;
  play(world: AuthWorld): Promise<void>;
}

const allow = { loopback: true };

const perUser: AuthTalk = {
  credential: () => ({ kind: 'oauth', allow }),
  play: connectAndCall,
};

/** One consent for all: for scenarios that count what is asked for. */
const shared: AuthTalk = {
  credential: () => ({ kind: 'oauth', account: 'shared', allow }),
  async play(world) {
    for (let round = 0; round < 2; round++) {
      await world.connect();
      if (!(await world.listed())) return;
      if (await callTool(world)) return;
    }
  },
};

/** The client's own metadata document, as the suite expects it. */
const documented: AuthTalk = {
  ...perUser,
  credential: () => ({
    ...{ kind: 'oauth', allow },
    clientMetadataUrl: 'https://conformance-test.local/client-metadata.json',
  }),
};

const machine = (credential: AuthTalk['credential']): AuthTalk => ({
  credential,
  async play(world) {
    await world.listed();
    await callTool(world);
  },
});

const special: Readonly<Record<string, AuthTalk>> = {
  'auth/basic-cimd': documented,
  'auth/scope-step-up': shared,
  'auth/scope-retry-limit': shared,
  'auth/authorization-server-migration': {
    ...shared,
    async play(world) {
      await world.connect();
      await world.listed();
      // The server has moved by now, and takes no token of the old one any more.
      await callTool(world);
      await world.connect();
      await world.listed();
      await callTool(world);
    },
  },
  'auth/pre-registration': {
    ...perUser,
    credential: ({ client_id: id, client_secret: secret = '', issuer }, write) => ({
      ...{ kind: 'oauth', issuer, client: { id, secret: write(secret) }, allow },
    }),
  },
  'auth/client-credentials-basic': machine(({ client_id: id, client_secret: secret = '' }, write) => ({
    ...{ kind: 'client-credentials', client: { id, secret: write(secret) }, allow },
  })),
  'auth/client-credentials-jwt': machine(
    ({ client_id: id, private_key_pem: key = '', signing_algorithm: algorithm }, write) => ({
      ...{ kind: 'client-credentials', client: { id, key: write(key), algorithm }, allow },
    }),
  ),
  'auth/enterprise-managed-authorization': machine((context, write) => ({
    kind: 'cross-app',
    client: { id: context.client_id, secret: write(context.client_secret ?? '') },
    subject: { token: write(context.idp_id_token ?? '') },
    provider: { issuer: context.idp_issuer, client: { id: context.idp_client_id } },
    allow,
  })),
  'auth/wif-jwt-bearer': machine(({ client_id: id, valid_jwt: assertion = '' }, write) => ({
    ...{ kind: 'workload', client: { id }, assertion: write(assertion), allow },
  })),
};

/** How a scenario is played. */
export function authTalkOf(scenario: string): AuthTalk {
  return special[scenario] ?? perUser;
}

async function connectAndCall(world: AuthWorld): Promise<void> {
  await world.connect();
  if (await world.listed()) await callTool(world);
}

/** Calls the suite's tool as a user who goes wherever he is asked to. Returns whether it answered. */
async function callTool({ mount, token, revision }: AuthWorld): Promise<boolean> {
  const client = new Client(
    { name: 'sallyport-conformance-client', version: '1.0.0' },
    {
      capabilities: { elicitation: { url: {} } },
      versionNegotiation: { mode: revision >= '2026' ? 'auto' : 'legacy' },
    },
  );
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    if (!('url' in params)) return { action: 'decline' };
    await browse(params.url);
    return { action: 'accept' };
  });
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(mount, { requestInit }));
  try {
    const { isError } = await client.callTool({ name: 'test-tool' });
    return isError !== true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

/** A person at a browser: opens a page, presses its button, follows wherever that leads, and brings cookies along. */
export async function browse(address: string): Promise<number> {
  const page = await fetch(address);
  const [, action = ''] = /<form method="post" action="([^"]+)"/.exec(await page.text()) ?? [];
  if (action === '') return page.status;
  const here = new URL(address);
  let answer = await fetch(new URL(action, here), {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: here.origin },
  });
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
  let place = here;
  for (let hops = 0; hops < 10 && answer.headers.has('location'); hops++) {
    place = new URL(answer.headers.get('location') ?? '', place);
    const headers = place.origin === here.origin ? { Cookie: cookie } : {};
    answer = await fetch(place, { redirect: 'manual', headers });
  }
  return answer.status;
}
