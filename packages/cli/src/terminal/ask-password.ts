import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from '../exit.ts';

/** A terminal to ask at. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  /** Where the question goes; what is typed goes nowhere. */
  readonly write: (text: string) => void;
}

/**
 * Asks for a new password, twice, without showing what is typed.
 *
 * @throws CliError `usage` when both are not the same, or the question is called off.
 */
export async function askPassword(question: string, { input, write }: Terminal): Promise<string> {
  const first = await ask(`${question}: `, { input, write });
  const second = await ask('Again: ', { input, write });
  if (first !== second) throw new CliError('usage', 'The two are not the same. Nothing was changed.');
  return first;
}

async function ask(question: string, { input, write }: Terminal): Promise<string> {
  const nowhere = new Writable({ write: (_, __, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true });
  write(question);
  try {
    const calledOff = new Promise<never>((_, reject) => {
      const callOff = (): void => reject(new CliError('usage', 'Called off. Nothing was changed.'));
      lines.once('SIGINT', callOff).once('close', callOff);
    });
    return await Promise.race([lines.question(''), calledOff]);
  } finally {
    lines.close();
    write('\n');
  }
}
