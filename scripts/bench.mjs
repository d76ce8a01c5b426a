// `npm run bench`: measures the gateway against its own parts, in one run.
import { inRoot, launch } from './launch.mjs';

await launch('full', [inRoot('bench/main.ts'), ...process.argv.slice(2)]);
