import { mkdtempSync } from 'node:fs'; import { randomBytes } from 'node:crypto';
import { openChain } from './chain.ts';
import * as entry from './entry.ts';
const dir = mkdtempSync('/tmp/zzaudit-');
const chain = await openChain({ path: `${dir}/a.db`, keys: { argumentHash: randomBytes(32), seal: randomBytes(32), head: randomBytes(32) }, durability: 'process' });
const rec: any = { schema:1, kind:'outcome', callId:'', traceId:'a'.repeat(32), spanId:'b'.repeat(16), timeMs: Date.now(), durationMs: 2, verb:'invoke', origin:{transport:'http',peer:'127.0.0.1',era:'modern'}, subject:'run', client:'token:run', method:'api-token', credentialId:'x', tool:'bench.Echo.Say', service:'bench', toolVersion:'1.0.0', definitionHash:'c'.repeat(64), scopesRequired:[], policies:[], policyRevision:'internal-tools/1', outcome:'answered', inputBytes:379, outputBytes:300, argumentsText: JSON.stringify({text:'x'.repeat(90)}), request:{subject:{subject:'run',client:'t',kind:'agent',scopes:[],attributes:{}},action:'invoke',resource:{type:'tool',id:'bench.Echo.Say',service:'bench',definitionHash:'c'.repeat(64),sideEffect:'read',classification:'internal',risk:'low',internal:false},context:{timeMs:1,transport:'http',arguments:{text:'x'.repeat(90)}}} };
console.log(Object.keys(entry));
const pack: any = (entry as any).pack ?? (entry as any).packEntry;
const N = 60000; const t = process.cpuUsage(); const w = performance.now();
for (let i=0;i<N;i+=16){ const cells: any[] = []; for (let k=0;k<16;k++){ const id = crypto.randomUUID(); pack({ ...rec, callId: id }, cells); } chain.commit([cells]); }
const u = process.cpuUsage(t); console.log('us cpu/rec', (u.user+u.system)/N, 'wall us/rec', (performance.now()-w)*1000/N, u.user/N, u.system/N);
chain.close();
