/**
 * Keeps this node from writing to a store whose log is not the one it wrote last, until its own chain is known to go on
 * from what is here.
 *
 * A write made on an older own intention than the last one forks the chain. So after a repair nothing is written until
 *  - every tip that the damaged log showed is witnessed again, and
 *  - where the damaged log did not show its end, every active peer of the store was found equal once: whatever this node
 *    ever sent is then here. What it had not sent and cannot be read exists nowhere, so nothing can fork from it.
 * After a restore nothing is written until one active peer was found equal, and with it whoever is connected, for so long as
 * {@link COMPARE_PATIENCE_MS}, dormant or not: they bring what this node wrote after the backup. What none of them has may make
 * a fork, which converges and costs less than waiting for the last of many peers.
 * After data was deleted here and the store was joined anew it is as after a repair. After a return behind a cut, of which a
 * part of the own chain could not be taken over, it is as after a restore: peers may hold that part beside the cut.
 *
 * With no other active peer there is nobody to wait for. A person may end it sooner and take the fork, which converges as
 * any other does. It is recorded before the log is put in place, so a crash does not end it.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, idKey, type IdKey, type IntentionId, type PublicKey, type StoreId } from '@lattice/model'
import type { WriteHold } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { peerSync } from './sync-state.ts'
import { activePeers, peerTable, replicaPeers, type TablesOf } from './store-peers.ts'

/**
 * How long who is connected is waited for where one peer is enough. Several had their cuts or writes beside each other: each may
 * hold something of this node's that the others lack, and needs a few sessions to be equal. A busy or lying one never is.
 */
export const COMPARE_PATIENCE_MS = 120_000

const ANYWAY = 'or run `lattice store repair --accept-fork` to write without it'

type HeldKernel = Pick<Kernel, 'storeId' | 'has' | 'get' | 'tables' | 'projection' | 'digest' | 'base' | 'over'>

/** Why the store must not be written to yet; undefined when it may, and from then on. */
export function whyHeld(context: NodeContext, kernel: HeldKernel, tablesOf: TablesOf): string | undefined {
  const { meta, id: self } = context
  if (meta.writeHold(kernel.storeId) === undefined) return undefined
  noteEqual(context, kernel, tablesOf)
  const hold = meta.writeHold(kernel.storeId)
  if (hold === undefined) return undefined
  const why = whatFor(hold)
  const missing = hold.tips.filter((tip) => !kernel.has(tip))
  if (missing.some((tip) => kernel.get(tip)?.floating !== undefined)) {
    return `${why} and what this node wrote last is in the future: wait until then, ${ANYWAY}`
  }
  if (missing.length > 0) {
    return `${why} and this node's own last write is not here again: connect a peer that has it, ${ANYWAY}`
  }
  const asked = askable(context, kernel)
  const waiting = hold.isEndKnown ? [] : uncomparedPeers(hold, kernel, { self, tablesOf, askable: asked })
  if (waiting === 'unknown') {
    return `${why} and may lack writes of this node, and its peers are not known yet: see that it, and the store above it, are open and read to the end, ${ANYWAY}`
  }
  if (waiting.length > 0) {
    const isUnderWay = waiting.every((peer) => asked.has(idKey(peer)))
    return `${why} and ${whatTo(hold, waiting.length, isUnderWay)}, ${ANYWAY}`
  }
  meta.removeWriteHold(kernel.storeId)
  return undefined
}

/** What is lacking and what to do, for this many peers. `isUnderWay`: all that are waited for are there. */
export function whatTo(hold: Pick<WriteHold, 'reason'>, count: number, isUnderWay: boolean): string {
  if (isUnderWay) {
    return `may lack what this node wrote after it: ${count} of its peers are being compared with, try again in a minute`
  }
  return isOneEnough(hold)
    ? `may lack what this node wrote after it: connect one of its ${count} other peers`
    : `may lack writes of this node that ${count} of its peers have: connect them`
}

/** Peers that were equal as they connected exchange nothing, so no exchange tells of them. */
function noteEqual(context: NodeContext, kernel: HeldKernel, tablesOf: TablesOf): void {
  for (const peer of replicaPeers(kernel.tables(), context.id, tablesOf)) {
    if (peerSync(context, { kernel }, peer) === 'synced') noteCompared(context, kernel.storeId, peer)
  }
}

/** What {@link whyHeld} says, without the way around it: for whoever names that in full. */
export function heldOnly(why: string): string {
  return why.endsWith(`, ${ANYWAY}`) ? why.slice(0, -ANYWAY.length - 2) : why
}

function whatFor({ reason }: WriteHold): string {
  switch (reason) {
    case 'repair':
      return 'the log was repaired'
    case 'restore':
      return 'the store was restored from a backup'
    case 'deletion':
      return "the store's data was deleted here and fetched anew"
    case 'return':
      return 'the store was fetched anew behind a cut of its history'
  }
}

/** Since when what is open is known to be held. */
const heldSince = new WeakMap<HeldKernel, number>()

/** Peers that may still be found equal soon. */
function askable({ clock, network }: NodeContext, kernel: HeldKernel): ReadonlySet<IdKey> {
  const now = clock.monotonicMs()
  const since = heldSince.get(kernel) ?? now
  heldSince.set(kernel, since)
  if (now - since >= COMPARE_PATIENCE_MS) return new Set()
  return new Set((network()?.connectedPeers() ?? []).map(({ peer }) => idKey(peer)))
}

interface Peers {
  readonly self: PublicKey
  readonly tablesOf: TablesOf
  readonly askable: ReadonlySet<IdKey>
}

/** The peers that are waited for. Unknown while the tables do not say whose peers they are. */
function uncomparedPeers(hold: WriteHold, kernel: HeldKernel, peers: Peers): readonly PublicKey[] | 'unknown' {
  const tables = kernel.tables()
  const { appliedSeq, headSeq, stalled } = kernel.projection()
  const isAllThere = stalled === undefined && appliedSeq === headSeq && headSeq > 0
  if (!isAllThere || peerTable(tables, peers.tablesOf) === undefined) return 'unknown'
  const active = activePeers(tables, peers.self, peers.tablesOf)
  const connected = replicaPeers(tables, peers.self, peers.tablesOf).filter((peer) => peers.askable.has(idKey(peer)))
  return uncomparedOf(hold, { active, connected })
}

/** Of the peers that are expected to be there, and those that are and may be equal soon, the ones that are waited for. */
export function uncomparedOf(
  hold: Pick<WriteHold, 'reason' | 'compared'>,
  { active, connected }: { readonly active: readonly PublicKey[]; readonly connected: readonly PublicKey[] },
): readonly PublicKey[] {
  const uncompared = (peers: readonly PublicKey[]): readonly PublicKey[] =>
    peers.filter((peer) => !hold.compared.some((other) => equalBytes(other, peer)))
  const waiting = uncompared(active)
  const isOneEqual = waiting.length < active.length || active.length === 0
  return isOneEnough(hold) && isOneEqual ? uncompared(connected) : waiting
}

/** One peer that was found equal ends it once those that are connected had their time, instead of all. */
export function isOneEnough({ reason }: Pick<WriteHold, 'reason'>): boolean {
  return reason === 'restore' || reason === 'return'
}

/**
 * What holds a store that begins anew behind a cut; undefined for one that has its whole chain. What held it before waits for
 * intentions that may lie below the cut by now: so peers are asked anew instead. `early`: the end of the own chain, where it
 * came along and only waits for its time.
 */
export function holdOfReturn(
  before: WriteHold | undefined,
  { isCut, early }: { readonly isCut: boolean; readonly early: IntentionId | undefined },
): WriteHold | undefined {
  if (before === undefined && !isCut) return undefined
  return { reason: before?.reason ?? 'return', tips: early ? [early] : [], isEndKnown: false, compared: [] }
}

/** What holds a store that is repaired while it is held for another reason: whatever either waits for. */
export function joinHolds(before: WriteHold | undefined, repaired: WriteHold | undefined): WriteHold | undefined {
  if (before === undefined || before.reason === 'repair') return repaired
  if (repaired === undefined) return before
  // Such a log never shows the end of the own chain; one that shows none at all asks every peer.
  return { ...repaired, isEndKnown: false, reason: repaired.isEndKnown ? before.reason : 'repair' }
}

/** The replica here was found equal to the peer's. */
export function noteCompared({ meta }: NodeContext, storeId: StoreId, peer: PublicKey): void {
  if (meta.writeHold(storeId) !== undefined) meta.addComparedPeer(storeId, peer)
}
