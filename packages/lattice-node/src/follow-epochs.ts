/**
 * Has stores with inherited peers follow the epochs of the store above: where a peer's writes end there, they end here.
 *
 * What a child has taken over is compared with what stands in its parent, whenever either may have changed and when it
 * opens, so a crash between the two epochs is made good by the next look. The author of the parent's epoch makes the
 * child's at once; others wait for their turn, in the order of keys, and make it if nobody did. Two that are made all the
 * same are joined like any.
 *
 * A peer that was admitted again is back in the children only by an epoch of the parent that has its admission in its past:
 * where the newest is older, an admin makes one that removes nobody. Whoever is back may have the children follow that itself.
 *
 * An epoch of a child that names one of the parent which never comes is set aside by an admin after a while.
 *
 * Where the two differ once the child has followed, there is something to follow again: so it is where an epoch turned out
 * void. One and the same is followed a while later then, as by who comes next: a fault in the rules must not make epochs
 * without end.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, idKey, type IdKey, type IntentionId, type PublicKey } from '@lattice/model'
import type { EpochWish, MembershipView, Removal } from '@lattice/store-base'
import { readStrategy } from '@lattice/systemstore'
import { toFailure } from './failure.ts'
import type { NodeContext } from './node-context.ts'
import { removalsAt, standingRemovals } from './parent-peers.ts'
import { parentsFirst, type StoreEntry } from './store-entry.ts'
import { createTurns, type Turns } from './turns.ts'
import { createUndecidedEpochs } from './undecided-epochs.ts'

/** How long a peer waits for the one before it: an epoch takes some rounds of gossip to get about. */
export const FOLLOW_DEADLINE_MS = 15_000
/** Peers that wait for their turn at most: the others leave it to these. */
const TURNS_MAX = 240

export interface EpochFollowerOptions {
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  /** Somebody's turn has come. */
  readonly wake: () => void
}

export interface EpochFollower {
  /** Looks at every child in use. Resolves with false where something is left to be done later. */
  readonly settle: () => Promise<boolean>
  readonly close: () => void
}

/** What a store is to have, and after how many others it is this node's to make it. */
interface Due {
  readonly kernel: Kernel
  readonly wish: EpochWish
  readonly turn: number
}

export function createEpochFollower(context: NodeContext, { entries, wake }: EpochFollowerOptions): EpochFollower {
  const { clock, scheduler } = context
  const turns = createTurns({ scheduler, deadlineMs: FOLLOW_DEADLINE_MS, wake })
  const asideTurns = createTurns({ scheduler, deadlineMs: FOLLOW_DEADLINE_MS, wake })
  const undecided = createUndecidedEpochs({ clock, scheduler, wake })
  /** By child, the epoch above that this node had it follow last. */
  const followed = new WeakMap<Kernel, IdKey>()
  /** By child, the views that were found in agreement. */
  const agreed = new WeakMap<Kernel, readonly [MembershipView, MembershipView]>()

  /** Undefined where there is nothing to do; for one store above all that are below, an epoch is due once. */
  function dueIn({ above, kernel }: Pair): Due | undefined {
    const views = [above.membership(), kernel.membership()] as const
    const known = agreed.get(kernel)
    if (known?.[0] === views[0] && known[1] === views[1]) return undefined
    const due = compare(context.id, above, kernel)
    if (due === undefined) agreed.set(kernel, views)
    const isAgain = due?.kernel === kernel && followed.get(kernel) === aboveIn(due.wish)
    return isAgain ? { ...due, turn: due.turn + 1 } : due
  }
  function asideIn({ kernel }: Pair): Due | undefined {
    const epochs = undecided.overdue(kernel)
    const turn = epochs.length === 0 ? undefined : turnOfAdmin(context.id, kernel.membership())
    return turn === undefined ? undefined : { kernel, wish: { kind: 'set_aside', epochs }, turn }
  }

  /** True where its time has come; what is not due any more ends its turn. */
  function isNow(byTurn: Turns, key: IdKey, due: Due | undefined): boolean {
    const isCome = due !== undefined && byTurn.isCome(key, due.turn)
    if (due === undefined || isCome) byTurn.end(key)
    return isCome
  }
  async function make({ kernel, wish }: Due): Promise<boolean> {
    try {
      await kernel.submitEpoch(wish)
      const above = aboveIn(wish)
      if (above !== undefined) followed.set(kernel, above)
      return true
    } catch (error) {
      // It does not take writes now, or another was quicker: the next look tells.
      context.logger.warn('store.epoch_not_followed', { storeId: kernel.storeId, ...toFailure(error) })
      return false
    }
  }

  return {
    settle: async () => {
      let isDone = true
      const made = new Set<Kernel>()
      for (const entry of parentsFirst(entries)) {
        const key = idKey(entry.record.id)
        for (const [byTurn, find] of [
          [turns, dueIn],
          [asideTurns, asideIn],
        ] as const) {
          // Anew for each: what the first made has changed what there is.
          const pair = pairOf(context.id, entry)
          const due = pair && find(pair)
          if (due !== undefined && made.has(due.kernel)) continue
          if (!isNow(byTurn, key, due) || due === undefined) continue
          made.add(due.kernel)
          isDone = (await make(due)) && isDone
        }
      }
      return isDone
    },
    close: () => {
      turns.close()
      asideTurns.close()
      undecided.close()
    },
  }
}

/** The epoch above that an epoch is to follow. */
function aboveIn(wish: EpochWish): IdKey | undefined {
  return wish.kind === 'parent' ? idKey(wish.epoch) : undefined
}

/** What is asked of the store above. */
export type AboveKernel = Parameters<typeof removalsAt>[0] & Pick<Kernel, 'digest'>

/** A store with inherited peers that is in use, and the one above it. */
interface Pair {
  readonly above: Kernel
  readonly kernel: Kernel
}

/** Of a store that this node was removed from, too, once it is back above: it may be the only one that is left to follow. */
function pairOf(self: PublicKey, { open, ready, revoked, parent }: StoreEntry): Pair | undefined {
  const above = parent()?.open?.kernel
  if (!ready || open === undefined || above === undefined) return undefined
  const { kernel } = open
  if (revoked && !kernel.membership().mayReturn(self)) return undefined
  return readStrategy(kernel.tables().system)?.kind === 'inherited' ? { above, kernel } : undefined
}

function compare(self: PublicKey, above: Kernel, kernel: Kernel): Due | undefined {
  const view = above.membership()
  const newest = newestOf(above)
  if (newest === undefined) return undefined
  if (!isSame(newest.removed, standingRemovals(view))) return pinDue(self, above, view)
  const wish = followWish(above, kernel)
  const turn = wish && turnOf(self, kernel.membership().active(), authorOf(above, newest.head))
  return wish === undefined || turn === undefined ? undefined : { kernel, wish, turn }
}

/** The epoch by which a store follows the one above it; undefined where it has nothing to follow, or not yet. */
export function followWish(above: AboveKernel, kernel: Pick<Kernel, 'membership'>): EpochWish | undefined {
  const newest = newestOf(above)
  const isDue =
    newest !== undefined &&
    isSame(newest.removed, standingRemovals(above.membership())) &&
    !isSame(newest.removed, standingRemovals(kernel.membership()))
  return isDue ? { kind: 'parent', store: above.storeId, epoch: newest.head } : undefined
}

/** The newest epoch above, with what stands removed by it; undefined where there is none, or several, that are joined first. */
function newestOf(
  above: AboveKernel,
): { readonly head: IntentionId; readonly removed: readonly Removal[] } | undefined {
  const [head, ...others] = above.digest().epochHeads
  if (head === undefined || others.length > 0) return undefined
  const removed = removalsAt(above, head)
  return removed && { head, removed }
}

/** The newest epoch of the parent is older than an admission that counts. */
function pinDue(self: PublicKey, above: Kernel, view: MembershipView): Due | undefined {
  const turn = turnOfAdmin(self, view)
  return turn === undefined ? undefined : { kernel: above, wish: { kind: 'initial' }, turn }
}

function turnOfAdmin(self: PublicKey, view: MembershipView): number | undefined {
  return turnOf(self, view.active().filter(view.isAdmin), undefined)
}

/** How many come before this node; undefined where it is not among those that may. */
function turnOf(self: PublicKey, peers: readonly PublicKey[], first: PublicKey | undefined): number | undefined {
  const order = first === undefined ? peers : [first, ...peers.filter((peer) => !equalBytes(peer, first))]
  const turn = order.findIndex((peer) => equalBytes(peer, self))
  const isAmong = peers.some((peer) => equalBytes(peer, self))
  return isAmong && turn < TURNS_MAX ? turn : undefined
}

function authorOf(kernel: Kernel, id: IntentionId): PublicKey | undefined {
  return kernel.get(id)?.parsed.intention.author
}

function isSame(one: readonly Removal[], other: readonly Removal[]): boolean {
  const words = (removals: readonly Removal[]): string =>
    removals
      .map(({ peer, remains }) => `${idKey(peer)} ${remains}`)
      .sort()
      .join(' ')
  return words(one) === words(other)
}
