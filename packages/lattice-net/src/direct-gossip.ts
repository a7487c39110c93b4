/**
 * Gossip in its plainest form: every batch goes to every connected peer that may have it, but to its source.
 *
 * Right for a handful of peers. Each connection has one stream per direction, opened with the first push; when it ends
 * early, what was on its way is reconciled. A receiver that sees a gap, or whose digest still differs once nothing is
 * under way, asks for one session with the sender.
 *
 * @module
 */
import {
  equalBytes,
  type IdKey,
  idKey,
  idKeyBytes,
  type IngestOutcome,
  type PublicKey,
  toStoreId,
} from '@lattice/model'
import type { ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { Gossip, GossipDeps, GossipLink } from './gossip.ts'
import { createPushReceiver } from './push-receiver.ts'
import { createPushSender, type PushSender } from './push-sender.ts'
import { sameSet } from './reconcile.ts'
import type { Effects } from './session.ts'
import { createTurn, type Turn } from './turn.ts'

/** One connection's outgoing side. */
interface Lane {
  readonly peer: PublicKey
  /** Replaced when its stream ends: the next one starts empty. */
  sender: PushSender
  /** While a stream is open. */
  drive: ((effects: Effects<void>) => void) | undefined
  /** Something was queued while no stream is open. */
  readonly queued: Turn
  readonly held: Set<IdKey>
  /** Stores the peer says it does not have, or not for us. */
  readonly unshared: Set<IdKey>
  /** Stores of which something was dropped: nothing more is pushed until a session that covers it begins. */
  readonly dropped: Set<IdKey>
}

/** Makes the direct push. */
export function createDirectGossip(deps: GossipDeps): Gossip {
  const { requestSync, resolve, onDigest } = deps
  const lanes = new Map<IdKey, Lane>()

  function offer(lane: Lane, store: ReplicatedStore, batch: WitnessedBatch): void {
    const key = idKey(store.id)
    if (batch.source !== undefined && equalBytes(batch.source, lane.peer)) return
    if (lane.unshared.has(key) || lane.dropped.has(key) || store.access(lane.peer) !== 'full') return
    const fits = lane.sender.offer({ storeId: store.id, intentions: batch.intentions, digest: store.digest() })
    if (fits) flush(lane)
    else {
      lane.dropped.add(key)
      requestSync(lane.peer, store.id, 'overflow')
    }
  }
  function flush(lane: Lane): void {
    if (lane.drive === undefined) lane.queued.notify()
    else lane.drive(lane.sender.flush())
  }

  return {
    publish: (store, batch) => {
      if (batch.intentions.length === 0) return
      for (const lane of lanes.values()) offer(lane, store, batch)
    },
    link: async (link) => {
      const lane = createLane(deps, link.peer)
      lanes.set(idKey(link.peer), lane)
      const wake = (): void => lane.queued.notify()
      link.signal.addEventListener('abort', wake, { once: true })
      try {
        await serveLane(deps, lane, link)
      } finally {
        link.signal.removeEventListener('abort', wake)
        if (lanes.get(idKey(link.peer)) === lane) lanes.delete(idKey(link.peer))
      }
    },
    accept: (peer) => createPushReceiver({ resolve: (storeId) => resolve(peer, storeId) }),
    pushed: ({ peer, store, outcomes, claim }) => {
      const lane = lanes.get(idKey(peer))
      // A push shows that the peer has the store.
      lane?.unshared.delete(idKey(store.id))
      if (claim !== undefined) onDigest(peer, store.id, claim)
      if (outcomes.some(isGap)) requestSync(peer, store.id, 'gap')
      else if (claim !== undefined && !sameSet(claim, store.digest()) && lane?.sender.busy(store.id) !== true) {
        requestSync(peer, store.id, 'differs')
      }
    },
    hold: (peer, storeId) => {
      const lane = lanes.get(idKey(peer))
      lane?.held.add(idKey(storeId))
      lane?.dropped.delete(idKey(storeId))
      lane?.sender.hold(storeId)
    },
    release: (peer, storeId) => {
      const lane = lanes.get(idKey(peer))
      if (lane === undefined) return
      lane.held.delete(idKey(storeId))
      lane.unshared.delete(idKey(storeId))
      lane.sender.release(storeId)
      flush(lane)
    },
  }
}

function createLane(deps: GossipDeps, peer: PublicKey): Lane {
  const held = new Set<IdKey>()
  const unshared = new Set<IdKey>()
  return {
    peer,
    sender: createLaneSender(deps, { peer, held, unshared }),
    drive: undefined,
    queued: createTurn(),
    held,
    unshared,
    dropped: new Set(),
  }
}

function createLaneSender(
  { onDigest, onUnshared }: GossipDeps,
  { peer, held, unshared }: Pick<Lane, 'peer' | 'held' | 'unshared'>,
): PushSender {
  const sender = createPushSender({
    onDigest: (storeId, digest) => onDigest(peer, storeId, digest),
    onUnshared: (storeId) => {
      unshared.add(idKey(storeId))
      onUnshared(peer, storeId)
    },
  })
  for (const key of held) sender.hold(toStoreId(idKeyBytes(key)))
  return sender
}

/** Keeps a stream open from the first push on, and opens another when it ends, until the connection does. */
async function serveLane(deps: GossipDeps, lane: Lane, link: GossipLink): Promise<void> {
  while (!link.signal.aborted) {
    await lane.queued.wait()
    if (link.signal.aborted) return
    try {
      await link.run(net.Protocol.PUSH, lane.sender, (drive) => {
        lane.drive = drive
      })
    } catch {
      // Reported and scored where it was run. What was under way is reconciled below.
    }
    lane.drive = undefined
    const lost = lane.sender.unsettled()
    lane.sender = createLaneSender(deps, lane)
    if (!link.signal.aborted) for (const storeId of lost) deps.requestSync(lane.peer, storeId, 'overflow')
  }
}

/** True when causes are lacking that nobody here has. */
function isGap(outcome: IngestOutcome): boolean {
  return outcome.kind === 'floating' && outcome.reason === 'missing_causes' && outcome.missing.length > 0
}
