/**
 * What admins do to history: it is cut, while others are away, while it is being cut, and together with rights.
 *
 * @module
 */
import { kvStore, openKv } from '@lattice/kvstore'
import { type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import type { StoragePoint } from '@lattice/storage'
import { putBurst, submitWatched } from './acts.ts'
import { healLater } from './faults.ts'
import { adminOf, everybody, later, nameOf, otherThan, pick, revoke, up } from './membership-acts.ts'
import { track } from './track.ts'
import { storeIn, type World } from './world.ts'

type Act = (world: World) => void

/** Storage points until a crash in the middle of a prune: about as many as deciding and deleting have. */
const MAX_POINTS = 40
const POINTS: readonly StoragePoint[] = ['write', 'written', 'commit', 'committed', 'open', 'opened', 'close', 'closed']
/** So few that a look of the policy has to judge each time whether an epoch is worth it. */
const MAX_KEEP_COUNT = 8

/** Those that stand more than once come more often. */
export const HISTORY_ACTS: readonly (readonly [weight: number, name: string, act: Act])[] = [
  [6, 'prune', (world) => prune(world, adminOf(world))],
  [3, 'prune_and_crash', pruneAndCrash],
  [4, 'prune_apart', pruneApart],
  [2, 'prune_and_revoke', pruneAndRevoke],
  [1, 'prune_policy', setPolicy],
  [2, 'resubmit', resubmit],
]

/** The stores that are cut: the shared ones, and now and then one that was made. */
function storeOf({ random, stores, record }: World): StoreId {
  const made = record.made[random.below(4)]
  return made?.id ?? (random.below(2) === 0 ? stores.team : stores.watched)
}

/** Asks a node to cut history; one that is down by now cuts nothing. */
export function prune(world: World, index: number | undefined, id: StoreId = storeOf(world)): void {
  const store = index === undefined ? undefined : storeIn(world, index, id)
  if (index === undefined || store === undefined) return
  const keepCount = world.random.below(4) === 0 ? 1 + world.random.below(MAX_KEEP_COUNT) : undefined
  // What a deleted key leaves is purged once this is cut.
  const passing = `passing ${index} ${world.record.step}`
  const work = async (): Promise<{ readonly outcome: string }> => {
    if (store.storeType() === kvStore.storeType) await openKv(store).delete(passing)
    return store.prune(keepCount === undefined ? {} : { keepCount })
  }
  track(world, { what: 'prune', index, work }, ({ outcome }) =>
    world.record.journal.note(`node-${index}: prune ${outcome}`),
  )
}

/** Whoever makes the epoch, or deletes by it, loses power in the middle of that. */
function pruneAndCrash(world: World): void {
  const { mesh, random, plan } = world
  const index = adminOf(world)
  const victim = random.below(2) === 0 ? index : pick(world, up(world))
  if (victim !== undefined && plan.faults.includes('crash_at_point')) {
    mesh.crashAt(victim, POINTS[random.below(POINTS.length)] ?? 'commit', {
      nth: 1 + random.below(MAX_POINTS),
      tear: random.below(2) === 0,
    })
  }
  prune(world, index)
}

/** Somebody is away and writes while the others, who wait for it no more, cut what it has not seen. */
function pruneApart(world: World): void {
  const index = adminOf(world)
  const away = pick(
    world,
    up(world).filter((each) => each !== index),
  )
  if (index === undefined || away === undefined) return
  sendAway(world, index, away)
  later(world, () => writeOn(world, away))
  later(world, () => prune(world, index))
  healLater(world)
}

/** Parts one node from all others, and has an admin say so. */
export function sendAway(world: World, index: number, away: number): void {
  world.mesh.partition(
    [away],
    everybody(world).filter((each) => each !== away),
  )
  const store = storeIn(world, index, world.stores.team)
  if (store === undefined) return
  world.record.unsteady.add(away)
  const work = (): Promise<unknown> => store.setPeerStatus(nameOf(world, away), system.PeerStatus.DORMANT)
  track(world, { what: `make node-${away} dormant`, index, work })
}

export function writeOn(world: World, index: number): void {
  if (storeIn(world, index, world.stores.team) === undefined) return
  putBurst(world, index)
  submitWatched(world, index)
}

/** The cutoff and the cut are two epochs at once, or by two admins. */
function pruneAndRevoke(world: World): void {
  const index = adminOf(world)
  const other = adminOf(world)
  const target = index === undefined ? undefined : otherThan(world, index)
  if (world.random.below(2) === 0) {
    revoke(world, index, target)
    prune(world, other)
  } else {
    prune(world, other)
    revoke(world, index, target)
  }
}

function setPolicy(world: World): void {
  const { random, stores } = world
  const index = adminOf(world)
  const store = index === undefined ? undefined : storeIn(world, index, stores.team)
  if (index === undefined || store === undefined) return
  const count = 1 + random.below(MAX_KEEP_COUNT)
  const work = (): Promise<unknown> =>
    store.setPrunePolicy(random.below(4) === 0 ? { kind: 'manual' } : { kind: 'keep_count', count })
  track(world, { what: 'set the policy', index, work })
}

/** Has what was put aside written anew, by whoever has some. */
export function resubmit(world: Pick<World, 'mesh' | 'honest' | 'record' | 'stores'>): void {
  const { record, stores } = world
  for (const index of up(world)) {
    for (const [name, id] of Object.entries(stores)) {
      const what = `resubmit in ${name}`
      const store = storeIn(world, index, id)
      const isUnderWay = [...record.underWay.values()].some((act) => act.what === what && act.node === index)
      const lost = isUnderWay ? [] : (store?.stranded() ?? []).map((write) => toHex(write.id))
      if (store === undefined || lost.length === 0) continue
      for (const each of lost) record.beingWrittenAnew.add(each)
      track(world, { what, index, work: async () => store.resubmitStranded() }, ({ settled, failure }) => {
        for (const each of lost) record.beingWrittenAnew.delete(each)
        if (failure !== undefined) record.journal.note(`node-${index}: ${what} was ended: ${failure.code}`)
        for (const { lost: was, id: now } of settled) {
          record.writtenAnew.add(toHex(was))
          if (now !== undefined) record.acknowledged.push({ storeId: id, id: now, node: index })
        }
      })
    }
  }
}
