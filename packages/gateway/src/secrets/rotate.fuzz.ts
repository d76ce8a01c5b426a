/** A process of its own that rotates a master key and is killed at a step: `folder step`. */
import { join } from 'node:path';
import { rotateMasterKey } from './key-ring.ts';

const [folder = '', dieAt] = process.argv.slice(2);
rotateMasterKey(
  { master: { file: join(folder, 'master.key') }, ring: join(folder, 'keyring.json'), env: {} },
  {
    afterStep: (step) => {
      if (step === dieAt) process.kill(process.pid, 'SIGKILL');
    },
  },
);
