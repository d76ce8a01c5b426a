// Runs Node as this repository does: one that is new enough, resolving workspace packages to their sources.
import { launch } from './launch.mjs';

await launch('runtime', process.argv.slice(2));
