import { Client as Second, StreamableHTTPClientTransport as SecondTransport } from '@modelcontextprotocol/client';
import { Client as First } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { answered, folders, sampled } from './features.ts';

/** A client of some SDK, as the cells of the matrix use it. */
export interface MatrixClient {
  readonly era: 'legacy' | 'modern';
  tools(): Promise<readonly string[]>;
  /** The text that the tool answered. */
  call(
    name: string,
    args?: object,
    options?: { onprogress?: (progress: number) => void; signal?: AbortSignal },
  ): Promise<string>;
  read(uri: string): Promise<string>;
  prompt(name: string, args: Record<string, string>): Promise<string>;
  complete(ref: Ref, argument: { name: string; value: string }): Promise<readonly string[]>;
  onToolsChanged(listener: () => void): Promise<void>;
  onUpdated(uri: string, listener: (uri: string) => void): Promise<void>;
  /** Whether the gateway takes a subscription to this resource. */
  canSubscribe(uri: string): Promise<boolean>;
  close(): Promise<void>;
}

type Ref = { type: 'ref/prompt'; name: string } | { type: 'ref/resource'; uri: string };

const info = { name: 'matrix', version: '1.0.0' };
const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };

/** Connects the client of the first SDK. */
export async function connectFirst(url: URL, token: string): Promise<MatrixClient> {
  const client = new First(info, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, () => structuredClone(answered));
  client.setRequestHandler(CreateMessageRequestSchema, () => structuredClone(sampled));
  client.setRequestHandler(ListRootsRequestSchema, () => structuredClone(folders));
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  // The SDK's own types disagree about optional members.
  await client.connect(new FirstTransport(url, { requestInit }) as never);
  return {
    era: 'legacy',
    tools: async () => namesOf(await client.listTools()),
    call: async (name, args = {}, { onprogress, signal } = {}) =>
      textOf(
        await client.callTool({ name, arguments: { ...args } }, undefined, {
          ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }),
          ...(signal && { signal }),
        }),
      ),
    read: async (uri) => contentsOf(await client.readResource({ uri })),
    prompt: async (name, args) => messageOf(await client.getPrompt({ name, arguments: args })),
    complete: async (ref, argument) => (await client.complete({ ref, argument })).completion.values,
    async onToolsChanged(listener) {
      client.setNotificationHandler(ToolListChangedNotificationSchema, listener);
    },
    async onUpdated(uri, listener) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => listener(params.uri));
      await client.subscribeResource({ uri });
    },
    canSubscribe: async (uri) => client.subscribeResource({ uri }).then(isDone, isRefused),
    close: () => client.close(),
  };
}

/** Connects the client of the second SDK, which finds out the era or is pinned to the modern one. */
export async function connectSecond(
  url: URL,
  token: string,
  mode: 'auto' | { readonly pin: string },
): Promise<MatrixClient> {
  const client = new Second(info, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler('elicitation/create', () => structuredClone(answered));
  client.setRequestHandler('sampling/createMessage', () => structuredClone(sampled));
  client.setRequestHandler('roots/list', () => structuredClone(folders));
  await client.connect(new SecondTransport(url, { requestInit: { headers: { Authorization: `Bearer ${token}` } } }));
  return {
    era: 'modern',
    tools: async () => namesOf(await client.listTools(undefined, { cacheMode: 'refresh' })),
    call: async (name, args = {}, { onprogress, signal } = {}) =>
      textOf(
        await client.callTool(
          { name, arguments: { ...args } },
          {
            ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }),
            ...(signal && { signal }),
          },
        ),
      ),
    read: async (uri) => contentsOf(await client.readResource({ uri })),
    prompt: async (name, args) => messageOf(await client.getPrompt({ name, arguments: args })),
    complete: async (ref, argument) => (await client.complete({ ref, argument })).completion.values,
    async onToolsChanged(listener) {
      client.setNotificationHandler('notifications/tools/list_changed', listener);
      await client.listen({ toolsListChanged: true });
    },
    async onUpdated(uri, listener) {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => listener(params.uri));
      await client.listen({ resourceSubscriptions: [uri] });
    },
    canSubscribe: async (uri) => {
      const { honoredFilter } = await client.listen({ resourceSubscriptions: [uri] });
      return honoredFilter.resourceSubscriptions?.includes(uri) === true;
    },
    close: () => client.close(),
  };
}

const isDone = (): boolean => true;
const isRefused = (): boolean => false;

function namesOf({ tools }: { readonly tools: readonly { readonly name: string }[] }): readonly string[] {
  return tools.map(({ name }) => name);
}

function textOf(result: object): string {
  const { content } = result as { readonly content: readonly { readonly text?: string }[] };
  const [{ text = '' } = {}] = content;
  // A tool of the kit answers JSON.
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}

function contentsOf(result: object): string {
  const [{ text } = { text: '' }] = (result as { readonly contents: readonly { readonly text: string }[] }).contents;
  return text;
}

function messageOf(result: object): string {
  const { messages } = result as { readonly messages: readonly { readonly content: { readonly text: string } }[] };
  return messages[0]?.content.text ?? '';
}
