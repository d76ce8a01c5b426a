import { freePort } from '../../login/company.ts';
import { allow, openWorld } from '../../login/world.ts';
import type { Row } from './compare.ts';
import { runSuite } from './suite.ts';

/** A run of the scenarios for authorization servers. */
export interface AuthorizationRun {
  /** Which scenarios; all of them when empty. */
  readonly scenarios: readonly string[];
  readonly folder: string;
  readonly onScenario: (name: string) => void;
  readonly signal: AbortSignal;
}

const client = 'suite';

/**
 * Runs the suite against the authorization server of a gateway. The suite prints an address for a person to open; that person is
 * played here, with cookies and forms. What the suite only warns of, or leaves out, fails.
 */
export async function runAuthorizationScenarios(run: AuthorizationRun): Promise<readonly Row[]> {
  const port = await freePort();
  const world = await openWorld({ clients: { [client]: { redirectUris: [`http://127.0.0.1:${port}/callback`] } } });
  try {
    await world.addUser('ada');
    const issuer = `${world.origin}/oauth`;
    const rows: Row[] = [];
    const chosen = run.scenarios.length === 0 ? [[]] : run.scenarios.map((name) => ['--scenario', name]);
    for (const scenario of chosen) {
      const known = ['--client-id', client, '--resource', world.mcp.href, '--port', String(port)];
      rows.push(
        ...(await runSuite({
          ...run,
          subject: { issuer },
          select: [...scenario, ...known, '--spec-version', '2026-07-28'],
          onLine: (line) => {
            if (!line.startsWith(`${issuer}/`)) return;
            // When nobody comes back, the suite says so.
            allow(world.browser(), line)
              .then(fetch)
              .catch(() => undefined);
          },
        })),
      );
    }
    return rows.map((row) => (row.status === 'SUCCESS' ? row : { ...row, status: 'FAILURE' as const }));
  } finally {
    await world.close();
  }
}
