// `npm run --silent sallyport -- <command>`: the command line, from source.
import { inRoot, launch } from './launch.mjs';

await launch('runtime', [inRoot('packages/cli/src/main.ts'), ...process.argv.slice(2)]);
