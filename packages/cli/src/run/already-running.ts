import { connect } from 'node:net';
import { dataPaths, type GatewayConfig } from '@sallyport/gateway';
import { CliError } from '../exit.ts';

/**
 * Two gateways cannot share a data folder; said here before either touches anything of the other.
 *
 * @throws CliError `unavailable` when one answers there.
 */
export async function refuseIfRunning({ data }: GatewayConfig): Promise<void> {
  const socket = connect(dataPaths(data).adminSocket);
  const answers = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  if (!answers) return;
  throw new CliError('unavailable', `A gateway runs on ${data} already.`, {
    hint: 'Stop it first, or use another data folder.',
  });
}
