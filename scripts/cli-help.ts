// Prints, as one line of JSON, what every command says with --help: `[[words, help], …]`. One process for all of them.
import { processContext } from '../packages/cli/src/context.ts';
import { runCli } from '../packages/cli/src/program.ts';

type Help = readonly [words: readonly string[], help: string];

async function helpsFrom(words: readonly string[]): Promise<readonly Help[]> {
  const help = await helpOf(words);
  const inner = /\nCommands:\n(.*?)(\n\n|$)/s.exec(help)?.[1] ?? '';
  const names = [...inner.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  const below: Help[] = [];
  for (const name of names) below.push(...(await helpsFrom([...words, name])));
  return [[words, help], ...below];
}

async function helpOf(words: readonly string[]): Promise<string> {
  let said = '';
  const write = (text: string): void => {
    said += text;
  };
  const code = await runCli([...words, '--help'], { ...processContext(), stdout: { write } });
  if (code !== 0) throw new Error(`sallyport ${words.join(' ')} --help: exit code ${code}`);
  return said.trimEnd();
}

process.stdout.write(JSON.stringify(await helpsFrom([])));
