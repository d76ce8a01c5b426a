import { __variable__ } from './service.ts';

await __variable__.listen();
