import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mintCredential, writeCredentialFile } from '@sallyport/gateway';
import { startGateway, type TestGateway, writeConfig } from './gateway.ts';
import { type Program, startNode, temporaryFolder, until } from './program.ts';

/** A gateway by itself, and services that somebody else runs, as in production. */
export interface Site {
  readonly folder: string;
  /** The configuration file. */
  readonly config: string;
  /** Writes the configuration again; `more` is what stands in it beside the credentials. */
  configure(more: string): void;
  startGateway(): Promise<TestGateway>;
  /** Starts an instance of the service of trials under a name that the site knows. */
  startService(name: string, version?: string): Program;
}

const trials = join(import.meta.dirname, 'trials.ts');

/** Makes the folder, the configuration and the credentials of services of these names. */
export function createSite(names: readonly string[], more = ''): Site {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'keys'));
  const files = names.map((name) => {
    const file = join(folder, 'keys', `${name}.json`);
    writeCredentialFile(file, mintCredential(name));
    return `{ file: keys/${name}.json }`;
  });
  const announce = `announce: { credentials: [${files.join(', ')}] }\n`;
  return {
    folder,
    config: writeConfig(folder, announce + more),
    configure: (text) => void writeConfig(folder, announce + text),
    startGateway: () => startGateway('serve', join(folder, 'sallyport.yaml')),
    startService: (name, version = '1.0.0') =>
      startNode([trials, name, version], {
        cwd: folder,
        env: {
          SALLYPORT_HOP: `unix:${join(folder, 'data/hop.sock')}`,
          SALLYPORT_CREDENTIAL_FILE: join(folder, 'keys', `${name}.json`),
        },
      }),
  };
}

/** Resolves when the gateway has so many instances of a service, and trusts them. */
export function ready(gateway: TestGateway, name: string, instances = 1): Promise<number> {
  return until(async () => {
    const found = (await gateway.services()).find((each) => each.name === name);
    return found?.instances === instances && found.state === 'ready';
  }, `${name} has ${instances} instances`);
}
