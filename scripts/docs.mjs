// `npm run docs`: writes again what is generated from the code. Tests in test/pins say when it is needed.
import { inRoot, launch } from './launch.mjs';

await launch('full', [inRoot('scripts/docs.ts')]);
