/**
 * What a store with inherited peers is told of the store above it, whose epochs its own follow.
 *
 * While that store is not open nothing is known of it, and whatever depends on it waits.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type IntentionId, type PublicKey, type StoreId } from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import type { MembershipView, Remains, Removal } from '@lattice/store-base'
import { type ParentEpoch, type ParentPeers, wasGiven } from '@lattice/systemstore'
import { isBefore } from './is-before.ts'
import { peerTable, type TablesOf } from './store-peers.ts'

type ParentKernel = Pick<Kernel, 'storeId' | 'membership' | 'membershipAt' | 'isAncestor' | 'missing' | 'tables'>

export interface ParentPeersOptions {
  /** The kernel of an open store. */
  readonly kernelOf: (id: StoreId) => ParentKernel | undefined
  readonly tablesOf: TablesOf
}

export function createParentPeers({ kernelOf, tablesOf }: ParentPeersOptions): (parent: StoreId) => ParentPeers {
  return (parent) => {
    const open = (): ParentKernel | undefined => kernelOf(parent)
    const wasAdmin = (peer: PublicKey): boolean => {
      const kernel = open()
      const table = kernel && peerTable(kernel.tables(), tablesOf)
      return table !== undefined && wasGiven(table, peer, 'admin')
    }
    const peersBy = (viewOf: (kernel: ParentKernel) => MembershipView): ParentPeers => {
      const view = (): MembershipView | undefined => {
        const kernel = open()
        return kernel && viewOf(kernel)
      }
      return {
        id: parent,
        epoch: (id) => {
          const kernel = open()
          return kernel === undefined ? UNKNOWN : epochAt(kernel, viewOf(kernel), id)
        },
        within: (epochs) => {
          const then = rememberOne((kernel) => kernel.membershipAt(epochs))
          return peersBy(then)
        },
        active: () => view()?.active() ?? [],
        isAdmin: (peer) => view()?.isAdmin(peer) ?? false,
        isBefore: (epoch, other) => {
          const kernel = open()
          return kernel !== undefined && isBefore(kernel, epoch, other)
        },
        isSenior: (a, b) => view()?.isSenior(a, b) ?? false,
        wasRemoved: (peer) => (view()?.cutoffsOf(peer).length ?? 0) > 0,
        // What somebody once was is not taken back by anything that comes.
        wasAdmin,
      }
    }
    return peersBy((kernel) => kernel.membership())
  }
}

const UNKNOWN: ParentEpoch = { fault: 'parent_unknown' }

/** The answer for the store as it was asked about first: of one that is opened meanwhile it is asked anew. */
function rememberOne(viewOf: (kernel: ParentKernel) => MembershipView): (kernel: ParentKernel) => MembershipView {
  let last: { readonly kernel: ParentKernel; readonly view: MembershipView } | undefined
  return (kernel) => {
    if (last?.kernel !== kernel) last = { kernel, view: viewOf(kernel) }
    return last.view
  }
}

function epochAt(kernel: ParentKernel, view: MembershipView, epoch: IntentionId): ParentEpoch {
  // Of what is not here nothing is known.
  if (kernel.missing([epoch]).length > 0) return UNKNOWN
  const fault = view.faultOf(epoch)
  return fault === undefined ? { fault, removals: removalsIn(kernel, view, epoch) } : { fault }
}

/** By the view that it follows from, of each epoch: asked for every epoch of every child. */
const known = new WeakMap<MembershipView, Map<IdKey, readonly Removal[]>>()

/** What stands removed by an epoch that counts and by those in its past; undefined for any other. */
export function removalsAt(kernel: ParentKernel, epoch: IntentionId): readonly Removal[] | undefined {
  const view = kernel.membership()
  return view.faultOf(epoch) === undefined ? removalsIn(kernel, view, epoch) : undefined
}

function removalsIn(kernel: ParentKernel, view: MembershipView, epoch: IntentionId): readonly Removal[] {
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
