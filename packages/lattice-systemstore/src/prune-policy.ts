/**
 * How much of its history a store keeps: the setting that all its nodes prune by.
 *
 * One row says it as a whole: of two set at the same time the latest counts, and never the number of one with the kind of
 * the other.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { concatBytes, type ReadTable } from '@lattice/model'
import { system } from '@lattice/proto'
import { MAX_KEEP_DAYS } from './limits.ts'
import { readField } from './read-fields.ts'
import { decodeCount, encodeCount } from './values.ts'

export type PrunePolicy =
  /** All of it is kept until somebody prunes. */
  | { readonly kind: 'manual' }
  /** What was written in the last so many days. */
  | { readonly kind: 'keep_days'; readonly days: number }
  /** At least so many of the latest intentions. */
  | { readonly kind: 'keep_count'; readonly count: number }

const MANUAL: PrunePolicy = { kind: 'manual' }
/** The index of a kind is its number in the table. */
const KINDS = ['manual', 'keep_days', 'keep_count'] as const
/** Intentions that a policy may keep, at most: as many as its field on the wire can say. */
const COUNT_MAX = 2 ** 32 - 1

/** The policy of a store by its system table: manual until one is set. */
export function prunePolicyOf(read: ReadTable): PrunePolicy {
  return readField(read, { kind: 'store', field: 'prune-policy' }, decodePrunePolicy) ?? MANUAL
}

/** What a message says; undefined when it says nothing, or a number is out of its range. */
export function prunePolicyIn({ policy }: system.PrunePolicy): PrunePolicy | undefined {
  switch (policy.case) {
    case 'manual':
      return MANUAL
    case 'keepDays':
      return inRange({ kind: 'keep_days', days: policy.value })
    case 'keepCount':
      return inRange({ kind: 'keep_count', count: policy.value })
    case undefined:
      return undefined
  }
}

export function prunePolicyInit(
  policy: PrunePolicy,
): NonNullable<MessageInitShape<typeof system.PrunePolicySchema>['policy']> {
  switch (policy.kind) {
    case 'manual':
      return { case: 'manual', value: {} }
    case 'keep_days':
      return { case: 'keepDays', value: policy.days }
    case 'keep_count':
      return { case: 'keepCount', value: policy.count }
  }
}

/** As it is written, and told. */
export function prunePolicyMessage(policy: PrunePolicy): system.PrunePolicy {
  return create(system.PrunePolicySchema, { policy: prunePolicyInit(policy) })
}

/** Its kind in one byte, then the number in four. */
export function encodePrunePolicy(policy: PrunePolicy): Uint8Array {
  return concatBytes(Uint8Array.of(KINDS.indexOf(policy.kind)), encodeCount(numberOf(policy)))
}

export function decodePrunePolicy(bytes: Uint8Array): PrunePolicy | undefined {
  const kind = KINDS[bytes[0] ?? KINDS.length]
  const number = decodeCount(bytes.subarray(1))
  if (kind === undefined || number === undefined) return undefined
  if (kind === 'manual') return number === 0 ? MANUAL : undefined
  return inRange(kind === 'keep_days' ? { kind, days: number } : { kind, count: number })
}

function numberOf(policy: PrunePolicy): number {
  if (policy.kind === 'manual') return 0
  return policy.kind === 'keep_days' ? policy.days : policy.count
}

function inRange(policy: PrunePolicy): PrunePolicy | undefined {
  const number = numberOf(policy)
  const max = policy.kind === 'keep_days' ? MAX_KEEP_DAYS : COUNT_MAX
  return Number.isInteger(number) && number >= 1 && number <= max ? policy : undefined
}
