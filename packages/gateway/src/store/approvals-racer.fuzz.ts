/**
 * A process that reserves each approval it is told the id of, as fast as it can: it says whether it was the one who did.
 * Started by `raceForApprovals`, several at once on one database.
 */
import { openState, type StateOptions } from './state.ts';

const [where = '', nowMs = '0'] = process.argv.slice(2);
const place = JSON.parse(where) as Omit<StateOptions, 'nowMs'>;
const state = await openState({ ...place, nowMs: () => Number(nowMs) } as StateOptions);
process.on('message', (id: string) => {
  void state.approvals
    .reserve(id, { nowMs: Number(nowMs), goesOn: false })
    .then((isMine) => process.send?.({ isMine }));
});
process.on('disconnect', () => void state.close());
process.send?.('ready');
