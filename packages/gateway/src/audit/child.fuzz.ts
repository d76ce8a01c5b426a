/**
 * A process that writes an audit log (a file, or in the database of a URL) as fast as it can, for tests that kill it or take its disk away. Says on stdout
 * `ok <call id>` for each record acknowledged and `no <why>` for each refused; ends when stdin does.
 */
import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Durability } from './durability.ts';
import { AuditLogUnavailable, openAuditLog } from './log.ts';
import { placeIn } from './postgres.fuzz.ts';
import { answered, silent } from './record.fuzz.ts';

const [place = '', key = '', reads = 'process', lanes = '16'] = process.argv.slice(2);
const path = place.startsWith('postgres:') ? placeIn(place).path : place;
const bytes = Buffer.from(key, 'hex');
const keys = { argumentHash: bytes, seal: bytes, signing: bytes };
const log = await openAuditLog({ path, keys, log: silent, durability: { reads: reads as Durability } });
let ended = false;
process.stdin.on('end', () => (ended = true)).resume();

async function write(): Promise<void> {
  while (!ended) {
    const record = answered();
    try {
      await log.append(record);
      // Synchronous, so that what was said was said before the next thing happens.
      writeSync(1, `ok ${record.callId}\n`);
    } catch (error) {
      writeSync(1, `no ${error instanceof AuditLogUnavailable ? error.why : String(error)}\n`);
      await delay(10);
    }
  }
}

await Promise.all(Array.from({ length: Number(lanes) }, write));
await log.close();
