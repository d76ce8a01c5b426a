import type { GatewayConfig } from '@sallyport/gateway';
import type { Context } from '../context.ts';
import { bad, type Finding, good } from './finding.ts';

/** Whether the database of `store` answers; nothing to look at where the state is in files. */
export async function checkDatabase(config: GatewayConfig, { env }: Context): Promise<readonly Finding[]> {
  const { examineDatabase } = await import('@sallyport/gateway');
  const report = await examineDatabase(config, env);
  if (report === undefined) return [];
  if (report.ok) return [good('database', report.words)];
  return [bad('database', report.words, 'Correct `store` in the configuration, or look at the server.')];
}
