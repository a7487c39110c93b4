/**
 * Operations on a store and its children, ready to submit.
 *
 * Each throws `InvalidArgument` for what every node would reject.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { PublicKey, StoreId, StoreType } from '@lattice/model'
import { system } from '@lattice/proto'
import type { Signing } from './peer-writes.ts'
import { type PrunePolicy, prunePolicyInit } from './prune-policy.ts'
import type { ReplicationPolicy } from './store-info.ts'
import { createSystemWrite, type SystemWrite } from './system-write.ts'
import { CHILD_STATUS_NUMBER, type ChildStatus, type Strategy } from './values.ts'

/** Declares a child store, active from then on. */
export function addChild({
  author,
  child,
  alias,
  storeType,
  independent = false,
}: Signing & {
  readonly child: StoreId
  readonly alias: string
  readonly storeType: StoreType
  /** It has peers of its own, who are invited to it. */
  readonly independent?: boolean
}): SystemWrite {
  return childWrite(author, child, { case: 'add', value: { alias, storeType, independent } })
}

export function setChildStatus({
  author,
  child,
  status,
}: Signing & { readonly child: StoreId; readonly status: ChildStatus }): SystemWrite {
  return childWrite(author, child, { case: 'setStatus', value: CHILD_STATUS_NUMBER[status] })
}

export function setChildAlias({
  author,
  child,
  alias,
}: Signing & { readonly child: StoreId; readonly alias: string }): SystemWrite {
  return childWrite(author, child, { case: 'setAlias', value: alias })
}

/** Says that the author has destroyed its copy. */
export function ackChildDestroy({ author, child }: Signing & { readonly child: StoreId }): SystemWrite {
  return childWrite(author, child, { case: 'destroyAck', value: {} })
}

export function setName({ author, name }: Signing & { readonly name: string }): SystemWrite {
  return storeWrite(author, { case: 'setName', value: name })
}

export function setStrategy({ author, strategy }: Signing & { readonly strategy: Strategy }): SystemWrite {
  return storeWrite(author, { case: 'setStrategy', value: { strategy: strategyInit(strategy) } })
}

export function setAppId({ author, appId }: Signing & { readonly appId: string }): SystemWrite {
  return storeWrite(author, { case: 'setAppId', value: appId })
}

/** Lets payloads of `version` and below count, from here on. */
export function activateSchema({ author, version }: Signing & { readonly version: number }): SystemWrite {
  return storeWrite(author, { case: 'activateSchema', value: { version } })
}

export function setReplication({ author, factor, crush }: Signing & ReplicationPolicy): SystemWrite {
  return storeWrite(author, { case: 'setReplication', value: { factor, crush } })
}

/** Says how much of its history the store's nodes keep. */
export function setPrunePolicy({ author, policy }: Signing & { readonly policy: PrunePolicy }): SystemWrite {
  return storeWrite(author, { case: 'setPrunePolicy', value: { policy: prunePolicyInit(policy) } })
}

/** Ends the store for everybody. */
export function destroyStore({ author }: Signing): SystemWrite {
  return storeWrite(author, { case: 'destroy', value: {} })
}

/** Says that the author has stopped using the store, which is destroyed. */
export function ackStoreDestroy({ author }: Signing): SystemWrite {
  return storeWrite(author, { case: 'destroyAck', value: {} })
}

function childWrite(
  author: PublicKey,
  child: StoreId,
  op: NonNullable<MessageInitShape<typeof system.ChildOpSchema>['op']>,
): SystemWrite {
  return createSystemWrite(create(system.SystemOpSchema, { op: { case: 'child', value: { child, op } } }), author)
}

function storeWrite(
  author: PublicKey,
  op: NonNullable<MessageInitShape<typeof system.StoreOpSchema>['op']>,
): SystemWrite {
  return createSystemWrite(create(system.SystemOpSchema, { op: { case: 'store', value: { op } } }), author)
}

function strategyInit(strategy: Strategy): NonNullable<MessageInitShape<typeof system.PeerStrategySchema>['strategy']> {
  switch (strategy.kind) {
    case 'independent':
      return { case: 'independent', value: { parent: strategy.parent ?? new Uint8Array() } }
    case 'inherited':
      return { case: 'inherited', value: { parent: strategy.parent } }
    case 'snapshot':
      return { case: 'snapshot', value: { parent: strategy.parent } }
  }
}
