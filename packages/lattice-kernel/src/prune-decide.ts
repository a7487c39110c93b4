/**
 * Decides a prune: from one transaction on the log begins at the base, whatever of it is still on the disk.
 *
 * @module
 */
import { addInto, subtractFrom } from '@lattice/sync'
import { baseHash } from './base-signature.ts'
import type { Core } from './core.ts'
import { acknowledgedPlace } from './epoch-acks.ts'
import { baseAnchors, baseLanes } from './log-base.ts'
import type { LogStore } from './log-store.ts'
import type { Gathered } from './prune-gather.ts'
import { spanRowsOf, writeSpans } from './prune-rows.ts'
import { hashBefore } from './reading.ts'

/** Records gathered in the turn of the decision at most; more than that are gathered before it. */
export const LAST_RECORDS = 64

/** In one turn, with nothing appended. When it throws, nothing was decided. */
export function decidePrune(core: Core, gathered: Gathered): void {
  const { log, options } = core
  const { base, below, number, rows, early, kept } = gathered
  gathered.follow(LAST_RECORDS)
  const { seq } = base.meta
  const { headSeq, fingerprint, storeId } = log.meta()
  const before = log.base.row()
  const goneSum = fingerprint.slice()
  if (before !== undefined) addInto(goneSum, before.gone_fingerprint)
  subtractFrom(goneSum, kept.fingerprint)
  const facts = {
    epoch: Buffer.from(base.record.id),
    from_seq: seq,
    prev_hash: Buffer.from(hashBefore(log, seq)),
    gone_count: headSeq - kept.count,
    gone_fingerprint: Buffer.from(goneSum),
  }
  const cuts = log.excluded.cuts()
  const voidEpochs = cuts.faulty.map((epoch) => log.entryAt(epoch).meta)
  const spans = spanRowsOf({ spans: cuts.spans, voidEpochs }, below.lastOf)
  const lostAcks = log.book.rows().acks.filter((ack) => isOfBelow(log, ack, below.lastOf))
  log.prune((database) => {
    rows.write()
    writeSpans(database, number, spans)
    for (const ack of lostAcks) database.prepare('DELETE FROM epoch_acks WHERE seq = ?').run(ack)
    const hash = baseHash(options.crypto, storeId, {
      base: facts,
      lanes: baseLanes(database, number),
      spans,
      anchors: baseAnchors(database, number),
      early,
    })
    const signature = options.signer.sign('lattice/witness/v1', hash)
    rows.decide({ ...facts, signature, deleted_to: 0 })
    return { fingerprint: kept.fingerprint }
  })
}

/** Whether an ack is of an epoch that will lie below the base. */
function isOfBelow(log: LogStore, ack: number, lastOf: (lane: number) => number): boolean {
  const place = acknowledgedPlace(log.entryAt(ack).parsed, log.find)
  return place !== undefined && place.position <= lastOf(place.lane)
}
