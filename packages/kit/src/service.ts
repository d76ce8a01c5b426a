import {
  type HopMethod,
  type JsonObject,
  type JsonValue,
  type ServiceManifest,
  serviceNamePattern,
} from '@sallyport/protocol';
import type { Logger } from 'pino';
import { readEnvironment } from './environment.ts';
import { limitGuard } from './guards/limit.ts';
import { type InvokeOptions, invoke, request } from './invoke.ts';
import { type Listening, type ListenOptions, listen } from './listen.ts';
import { createLog } from './log.ts';
import { createDraftTable, type DraftTable } from './offers/drafts.ts';
import type {
  PromptArgument,
  PromptHandler,
  PromptOptions,
  Read,
  ReadOne,
  ResourceOptions,
  TemplateOptions,
} from './offers/options.ts';
import { type Prepared, prepare } from './prepare.ts';
import type { Schema } from './schema.ts';
import type { CallLimit, Handler, ToolDescription, ToolOptions } from './tool-options.ts';
import { createToolTable, type ToolTable } from './tool-table.ts';

/** What a service says of itself. */
export interface ServiceOptions {
  /** Semantic version. */
  readonly version: string;
  /**
   * What names the build that is running, for the record: a digest of an image or a commit. Default: `SALLYPORT_CODE_HASH`.
   * Instances of one version are taken together only if it is the same.
   */
  readonly codeHash?: string;
  /** Who answers for it: a team, a person. */
  readonly owner?: string;
  /** Handlers at work at the same time; more calls are refused as `overloaded`. Default: 256. */
  readonly concurrency?: number;
  /** How often the service may be called at all, beside the gateway's limits. */
  readonly limit?: CallLimit;
  /** Calls that go on in the background: how many are kept (default: 1,000), and for how long (default: an hour). */
  readonly tasks?: { readonly limit?: number; readonly ttlMs?: number };
  /** Default: JSON lines on standard output, from the level in `SALLYPORT_LOG_LEVEL`. */
  readonly log?: Logger;
}

/** A service being written. */
export interface Service {
  /**
   * Adds a tool. Input and output types come from the schemas. Throws for a name that is not `Handler.Method`, and for a
   * second handler under the same name.
   */
  tool<In extends Schema, Out extends Schema | undefined = undefined>(
    name: string,
    options: ToolOptions<In, Out>,
    handler: Handler<In, Out>,
  ): Service;
  /** The same without a handler is `describe`. */
  tool(name: string, description: ToolDescription): Service;
  /** Says more of a tool, before or after its handler is added. Adds and replaces key by key; never takes away. */
  describe(name: string, description: ToolDescription): Service;
  /**
   * Adds a prompt: a text that people choose, with blanks to fill in. Throws for a bad name, and for a second prompt of the
   * same name.
   */
  prompt<const Arguments extends Readonly<Record<string, PromptArgument>>>(
    name: string,
    options: PromptOptions<Arguments>,
    handler: PromptHandler<Arguments>,
  ): Service;
  /** Adds a resource: something to read, under an absolute URI. */
  resource(uri: string, options: ResourceOptions, read: Read): Service;
  /** Adds a family of resources by a template of their URIs, of the simplest form (RFC 6570, level 1): `tasks://{id}`. */
  resourceTemplate<const Template extends string>(
    uriTemplate: Template,
    options: TemplateOptions<Template>,
    read: ReadOne<Template>,
  ): Service;
  /** Tells everybody who asked to be told that a resource has changed. */
  resourceUpdated(uri: string): void;
  /** Checks every definition, then serves. Resolves when the first connection was made or has failed. */
  listen(options?: ListenOptions): Promise<Listening>;
  /** Ends what `listen` began, after the calls in flight. */
  close(): Promise<void>;
  /** What the gateway is told. */
  manifest(): Promise<ServiceManifest>;
  /**
   * Calls a tool without any network, for tests: the same checks, the same answers. Resolves with the output; throws
   * `CallError` for everything that a caller would get an error for.
   */
  invoke(tool: string, args: object, options?: InvokeOptions): Promise<JsonValue>;
  /**
   * The same for any method of MCP: `request('resources/read', { uri })`. Resolves with the method's result as it travels,
   * a tool's error included; throws `CallError` for a JSON-RPC error.
   */
  request(method: HopMethod, params: object, options?: InvokeOptions): Promise<JsonObject>;
}

const defaultConcurrency = 256;
const semanticVersion = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:[-+][0-9A-Za-z.+-]{1,60})?$/;

/**
 * Begins a service. `name` is a DNS label and becomes the first part of its tools' full names.
 * Throws `TypeError` for a name or a version that a gateway would refuse.
 */
export function service(name: string, options: ServiceOptions): Service {
  if (!serviceNamePattern.test(name)) {
    throw new TypeError(
      `A service is called like a DNS label, a-z first, and not like a path of the gateway's (admin, tools, …); this is ${JSON.stringify(name)}`,
    );
  }
  const { version, owner, concurrency = defaultConcurrency } = options;
  if (!semanticVersion.test(version))
    throw new TypeError(`${name} needs a semantic version, not ${JSON.stringify(version)}`);
  const environment = readEnvironment();
  const { nowMs } = environment;
  const log = options.log ?? createLog(name, environment.logLevel);
  const rules = { nowMs, environment: environment.name };
  const codeHash = options.codeHash ?? environment.codeHash;
  const facts = { service: name, version, ...(codeHash && { codeHash }), ...(owner !== undefined && { owner }) };
  const tools = createToolTable(facts, rules);
  const drafts = createDraftTable(name);
  const { limit } = options;
  const guard = limit && limitGuard(limit, nowMs);
  let built: Promise<Prepared> | undefined;
  const ready = () => {
    built ??= prepare({
      tools,
      drafts,
      service: name,
      log,
      nowMs,
      concurrency,
      guard,
      rules,
      tasks: options.tasks ?? {},
    });
    return built;
  };
  const running = runs(name, (listenOptions) =>
    ready().then((parts) => listen({ ...parts, log, environment }, listenOptions)),
  );

  const self: Service = {
    ...offers(tools, drafts, () => self),
    ...running,
    resourceUpdated(uri) {
      // Before it listens there is nobody to tell.
      void built?.then(
        ({ updated }) => updated(uri),
        () => undefined,
      );
    },
    manifest: async () => (await ready()).table.manifest,
    async invoke(tool, args, invokeOptions = {}) {
      const { runner } = await ready();
      return invoke(runner, { ...invokeOptions, tool, args });
    },
    async request(method, params, invokeOptions = {}) {
      const { runner } = await ready();
      return request(runner, { ...invokeOptions, method, params });
    },
  };
  return self;
}

type Offers = Pick<Service, 'tool' | 'describe' | 'prompt' | 'resource' | 'resourceTemplate'>;

/** The part of a service in which it says what it offers. */
function offers(tools: ToolTable, drafts: DraftTable, self: () => Service): Offers {
  return {
    tool(name: string, description: ToolDescription, handler?: Handler<never, never>) {
      tools.add(name, handler === undefined ? description : { ...description, handler });
      return self();
    },
    describe(name, description) {
      tools.add(name, description);
      return self();
    },
    prompt(name, options, handler) {
      drafts.prompt({ name, options, handler });
      return self();
    },
    resource(uri, options, read) {
      drafts.resource({ uri, options, read });
      return self();
    },
    resourceTemplate(uriTemplate, options, read) {
      drafts.template({ uriTemplate, options, read });
      return self();
    },
  };
}

/** The part in which it runs, once. */
function runs(name: string, open: (options: ListenOptions) => Promise<Listening>): Pick<Service, 'listen' | 'close'> {
  let listening: Promise<Listening> | undefined;
  return {
    async listen(options = {}) {
      if (listening !== undefined) throw new Error(`${name} listens already`);
      listening = open(options);
      return listening;
    },
    async close() {
      await listening?.then(
        (opened) => opened.close(),
        // It never ran: whoever called `listen` was told why.
        () => undefined,
      );
    },
  };
}
