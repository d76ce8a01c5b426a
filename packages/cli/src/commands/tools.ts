import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createGatewayClient, gatewayTarget, type ListedTool } from '../client/gateway-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { CliError } from '../exit.ts';
import { printable, printableJson } from '../terminal/style.ts';
import { table } from '../terminal/table.ts';
import { toMarkdown, toOpenAiTools } from '../tool-export.ts';

/** Options all `tools` commands share. */
export interface ToolsOptions {
  readonly url?: string;
  readonly json?: boolean;
}

/** `tools list` */
export async function listTools(options: ToolsOptions, context: Context): Promise<void> {
  const tools = await createGatewayClient(gatewayTarget(context, options.url)).list();
  if (options.json) return printJson(context, { tools });
  if (tools.length === 0) return say(context, 'This token may call no tool.');
  const { style } = context;
  const rows = tools.map((tool) => [
    style.bold(printable(tool.name)),
    effectText(tool, context),
    tool.scopes.join(' ') || style.dim('any caller'),
    firstSentence(tool.description),
  ]);
  print(context, table(['tool', 'effect', 'scopes', 'what it does'], rows, style.dim));
}

/** `tools describe` */
export async function describeTool(name: string, options: ToolsOptions, context: Context): Promise<void> {
  const tool = await findTool(name, options, context);
  if (options.json) return printJson(context, tool);
  const { style } = context;
  const fact = (label: string, value: string | undefined) =>
    value ? [`${style.dim(label.padEnd(14))}${printable(value)}`] : [];
  print(
    context,
    [
      style.bold(printable(tool.name)),
      printable(tool.description),
      '',
      ...fact('scopes', tool.scopes.join(' or ') || 'any caller'),
      ...fact('effect', tool.sideEffect),
      ...fact('class', tool.classification),
      ...fact('owner', tool.owner),
      ...fact('alias', tool.alias),
      '',
      style.dim('input'),
      printableJson(tool.inputSchema, 2),
      ...(tool.outputSchema ? [style.dim('output'), printableJson(tool.outputSchema, 2)] : []),
      ...(tool.examples ?? []).flatMap((example) => ['', style.dim('example'), exampleCall(tool, example)]),
    ].join('\n'),
  );
}

/** What `tools call` is given. */
export interface CallOptions extends ToolsOptions {
  readonly name: string;
  /** The arguments as JSON, from the command line. */
  readonly given: string | undefined;
  /** A file with them; `-` is stdin. */
  readonly input?: string;
  /** Seconds to wait where people have to approve the call. */
  readonly wait?: number;
}

/** `tools call` */
export async function callTool({ name, given, input, wait, ...options }: CallOptions, context: Context): Promise<void> {
  const parsed = parseInput(input === undefined ? (given ?? '{}') : await readInput(input, context));
  const { result, traceId } = await createGatewayClient(gatewayTarget(context, options.url)).call(name, parsed, wait);
  if (options.json) return printJson(context, { result, traceId });
  print(context, printableJson(result, 2));
  if (traceId !== undefined) say(context, context.errorStyle.dim(`trace ${traceId}`));
}

/** `tools export` */
export async function exportTools(
  options: ToolsOptions & { readonly format: 'json' | 'openai' | 'markdown' },
  context: Context,
): Promise<void> {
  const tools = await createGatewayClient(gatewayTarget(context, options.url)).list();
  if (options.format === 'markdown') return print(context, toMarkdown(tools));
  print(context, printableJson(options.format === 'openai' ? toOpenAiTools(tools) : { tools }, 2));
}

async function findTool(name: string, options: ToolsOptions, context: Context): Promise<ListedTool> {
  const tools = await createGatewayClient(gatewayTarget(context, options.url)).list();
  const found = tools.find((tool) => tool.name === name || tool.alias === name);
  if (found !== undefined) return found;
  throw new CliError('failure', `There is no tool "${name}" that this token may call.`, {
    hint: '`sallyport tools list` shows them.',
  });
}

async function readInput(file: string, context: Context): Promise<string> {
  if (file === '-') return context.readStdin();
  try {
    return await readFile(resolve(context.cwd, file), 'utf8');
  } catch (error) {
    throw new CliError('usage', `The arguments cannot be read from ${file}.`, { cause: error });
  }
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(
      'usage',
      `The arguments are not JSON: ${error instanceof Error ? error.message : 'unreadable'}`,
      {
        hint: `Quote them for the shell: '{"id":"ada"}'. Or read them from a file with --input, or from stdin with --input -.`,
      },
    );
  }
}

function effectText({ sideEffect = 'write' }: ListedTool, { style }: Context): string {
  if (sideEffect === 'destructive') return style.red(sideEffect);
  return sideEffect === 'read' ? style.green(sideEffect) : style.yellow(sideEffect);
}

function firstSentence(text: string): string {
  const [sentence = ''] = printable(text).split(/(?<=\.)\s|\n/);
  return sentence.length > 72 ? `${sentence.slice(0, 71)}…` : sentence;
}

function exampleCall(tool: ListedTool, example: unknown): string {
  const input = typeof example === 'object' && example !== null && 'input' in example ? example.input : example;
  return `sallyport tools call ${tool.name} '${JSON.stringify(input).replaceAll("'", `'\\''`)}'`;
}
