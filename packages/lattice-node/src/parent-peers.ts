/**
 * What a store with inherited peers is told of the store above it, whose epochs its own follow.
 *
 * Answers are of that store as it is now; while it is not open nothing is known of it, and whatever depends on it waits.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type IntentionId, isLatticeError, type StoreId } from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import type { MembershipView, Remains, Removal } from '@lattice/store-base'
import { type ParentPeers, wasGiven } from '@lattice/systemstore'
import { peerTable, type TablesOf } from './store-peers.ts'

type ParentKernel = Pick<Kernel, 'storeId' | 'membership' | 'isAncestor' | 'tables'>

export interface ParentPeersOptions {
  /** The kernel of an open store. */
  readonly kernelOf: (id: StoreId) => ParentKernel | undefined
  readonly tablesOf: TablesOf
}

export function createParentPeers({ kernelOf, tablesOf }: ParentPeersOptions): (parent: StoreId) => ParentPeers {
  return (parent) => {
    const view = (): MembershipView | undefined => kernelOf(parent)?.membership()
    return {
      parentRemovals: (store, epoch) => {
        const kernel = equalBytes(store, parent) ? kernelOf(parent) : undefined
        return kernel && removalsAt(kernel, epoch)
      },
      active: () => view()?.active() ?? [],
      isAdmin: (peer) => view()?.isAdmin(peer) ?? false,
      isSenior: (a, b) => view()?.isSenior(a, b) ?? false,
      wasAdmin: (peer) => {
        const kernel = kernelOf(parent)
        const table = kernel && peerTable(kernel.tables(), tablesOf)
        return table !== undefined && wasGiven(table, peer, 'admin')
      },
    }
  }
}

/** By the view that it follows from, of each epoch: asked for every epoch of every child. */
const known = new WeakMap<MembershipView, Map<IdKey, readonly Removal[]>>()

/** What stands removed by an epoch that counts and by those in its past; undefined for any other. */
export function removalsAt(kernel: ParentKernel, epoch: IntentionId): readonly Removal[] | undefined {
  const view = kernel.membership()
  if (view.faultOf(epoch) !== undefined) return undefined
  const ofView = known.get(view) ?? new Map<IdKey, readonly Removal[]>()
  known.set(view, ofView)
  const removals = ofView.get(idKey(epoch)) ?? findRemovals(kernel, view, epoch)
  ofView.set(idKey(epoch), removals)
  return removals
}

const LEAST_FIRST: readonly Remains[] = ['none', 'reader', 'writer']

function findRemovals(kernel: ParentKernel, view: MembershipView, epoch: IntentionId): readonly Removal[] {
  return removalsWithin(view, (id) => equalBytes(id, epoch) || isBefore(kernel, id, epoch))
}

/** What all epochs that count have removed, and no admission has undone. */
export function standingRemovals(view: MembershipView): readonly Removal[] {
  return removalsWithin(view, () => true)
}

/** By the cutoffs and admissions among what is seen; of each peer the least that is left. */
function removalsWithin(view: MembershipView, isSeen: (id: IntentionId) => boolean): readonly Removal[] {
  return view.limited().flatMap((peer): readonly Removal[] => {
    const left = view
      .cutoffsOf(peer)
      .filter((cutoff) => isSeen(cutoff.epoch) && !cutoff.readmissions.some(isSeen))
      .map(({ remains }) => remains)
    const remains = LEAST_FIRST.find((each) => left.includes(each))
    return remains === undefined ? [] : [{ peer, remains }]
  })
}

function isBefore({ isAncestor }: ParentKernel, ancestor: IntentionId, id: IntentionId): boolean {
  try {
    return isAncestor(ancestor, id)
  } catch (error) {
    // It went with what was pruned, or is not here: then nothing is known of it.
    if (isLatticeError(error) && error.code === 'INTENTION_NOT_FOUND') return false
    throw error
  }
}
