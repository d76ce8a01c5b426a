import { type JsonValue, type ServiceManifest, serviceNamePattern } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { readEnvironment } from './environment.ts';
import { type InvokeOptions, invoke } from './invoke.ts';
import { type Listening, type ListenOptions, listen } from './listen.ts';
import { createLog } from './log.ts';
import { createRunner, type Runner } from './runner.ts';
import type { Schema } from './schema.ts';
import type { Handler, ToolDescription, ToolOptions } from './tool-options.ts';
import { createToolTable, type ReadyTable } from './tool-table.ts';

/** What a service says of itself. */
export interface ServiceOptions {
  /** Semantic version. */
  readonly version: string;
  /** Who answers for it: a team, a person. */
  readonly owner?: string;
  /** Handlers at work at the same time; more calls are refused as `overloaded`. Default: 256. */
  readonly concurrency?: number;
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
      `A service is called like a DNS label, a-z first, and not admin or sallyport; this is ${JSON.stringify(name)}`,
    );
  }
  const { version, owner, concurrency = defaultConcurrency } = options;
  if (!semanticVersion.test(version))
    throw new TypeError(`${name} needs a semantic version, not ${JSON.stringify(version)}`);
  const environment = readEnvironment();
  const log = options.log ?? createLog(name, environment.logLevel);
  const tools = createToolTable({ service: name, version, ...(owner !== undefined && { owner }) });
  const { nowMs } = environment;
  let listening: Promise<Listening> | undefined;

  let built: Promise<{ readonly table: ReadyTable; readonly runner: Runner }> | undefined;
  const ready = () => {
    built ??= tools
      .ready()
      .then((table) => ({ table, runner: createRunner({ table, concurrency, service: name, log, nowMs }) }));
    return built;
  };

  const self: Service = {
    tool(toolName: string, description: ToolDescription, handler?: Handler<never, never>) {
      tools.add(toolName, handler === undefined ? description : { ...description, handler });
      return self;
    },
    describe(toolName, description) {
      tools.add(toolName, description);
      return self;
    },
    async listen(listenOptions = {}) {
      if (listening !== undefined) throw new Error(`${name} listens already`);
      listening = ready().then((parts) => listen({ ...parts, log, environment }, listenOptions));
      return listening;
    },
    async close() {
      await listening?.then(
        (open) => open.close(),
        // It never ran: whoever called `listen` was told why.
        () => undefined,
      );
    },
    manifest: async () => (await ready()).table.manifest,
    async invoke(tool, args, invokeOptions = {}) {
      const { runner } = await ready();
      return invoke(runner, { ...invokeOptions, tool, args });
    },
  };
  return self;
}
