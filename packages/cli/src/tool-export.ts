import type { ListedTool } from './client/gateway-client.ts';

/** Tools in the form that OpenAI-style chat APIs take; names are the aliases, which those APIs accept. */
export function toOpenAiTools(tools: readonly ListedTool[]): readonly Readonly<Record<string, unknown>>[] {
  return tools.map(({ name, alias, description, inputSchema }) => ({
    type: 'function',
    function: { name: alias ?? name.replaceAll('.', '_'), description, parameters: inputSchema },
  }));
}

/** Tools as a page for people: a section each, with scopes, schema and examples. */
export function toMarkdown(tools: readonly ListedTool[]): string {
  const sections = tools.map((tool) =>
    [
      `## ${tool.name}`,
      '',
      tool.description,
      '',
      `* Scopes: ${tool.scopes.length > 0 ? tool.scopes.map(code).join(' or ') : 'any caller'}`,
      ...(tool.sideEffect ? [`* Effect: ${tool.sideEffect}`] : []),
      ...(tool.classification ? [`* Class: ${tool.classification}`] : []),
      ...(tool.owner ? [`* Owner: ${tool.owner}`] : []),
      '',
      fence('Input', tool.inputSchema),
      ...(tool.outputSchema ? [fence('Output', tool.outputSchema)] : []),
      ...(tool.examples ?? []).map((example) => fence('Example', example)),
    ].join('\n'),
  );
  return ['# Tools', ...sections].join('\n\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

function fence(title: string, value: unknown): string {
  return `${title}:\n\n\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\`\n`;
}
