/**
 * Apps as they are shown.
 *
 * @module
 */
import { create, fromBinary } from '@bufbuild/protobuf'
import type { KvHead } from '@lattice/kvtable'
import { root } from '@lattice/proto'

export interface BoundApp {
  readonly subdomain: string
  readonly binding: root.AppBinding
  readonly conflicted: boolean
}

export function appInfo({ subdomain, binding: { appId, storeId }, conflicted }: BoundApp): root.AppInfo {
  return create(root.AppInfoSchema, { subdomain, appId, storeId, conflicted })
}

/** From what the table holds. */
export function readBinding(value: Uint8Array): root.AppBinding {
  return fromBinary(root.AppBindingSchema, value)
}

export function appHead({ id, author, timestamp, state }: KvHead): root.AppHead {
  return create(root.AppHeadSchema, {
    id,
    author,
    wall: BigInt(timestamp.wall),
    counter: timestamp.counter,
    ...(state.kind === 'value' && { binding: readBinding(state.value) }),
  })
}
