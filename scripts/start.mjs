// `npm start`: the example blog behind the gateway. `npm start -- --story blog` plays it through and checks it; `--story audit` walks with an auditor.
import { inRoot, launch } from './launch.mjs';

const args = process.argv.slice(2);
const at = args.indexOf('--story');

if (at === -1) {
  await launch('runtime', [
    inRoot('packages/cli/src/main.ts'),
    'run',
    '--config',
    inRoot('examples/blog/sallyport.yaml'),
    ...args,
  ]);
} else {
  const [, story = ''] = args.splice(at, 2);
  const stories = {
    audit: 'examples/blog/audit-walk/walk.ts',
    blog: 'examples/blog/story.ts',
    refund: 'examples/refund/story.ts',
  };
  if (Object.hasOwn(stories, story)) {
    await launch('runtime', [inRoot(stories[story]), ...args]);
  } else {
    process.stderr.write(`There is no story "${story}"; there is: ${Object.keys(stories).join(', ')}.\n`);
    process.exitCode = 2;
  }
}
