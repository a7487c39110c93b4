/**
 * What replicas are compared by, between two events: the set they hold, and every row of their tables.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { Kernel } from '@lattice/kernel'
import { idKey, isLatticeError, type StoreId, toHex } from '@lattice/model'
import type { Node } from '@lattice/node'

/** True for one or more digests that are the same. */
export function allEqual(digests: readonly (string | undefined)[]): boolean {
  const [first] = digests
  return first !== undefined && digests.every((digest) => digest === first)
}

/** True for one or more nodes of the same digest. Asked between any two events of many nodes, so it ends at the first that differs. */
export function allAgree(nodes: readonly Node[], digestOf: (node: Node) => string | undefined): boolean {
  const [first] = nodes
  const digest = first === undefined ? undefined : digestOf(first)
  return digest !== undefined && nodes.every((node) => node === first || digestOf(node) === digest)
}

/** The set that a node holds, all of it applied; undefined while the store is not in use. */
export function setDigest(node: Node, storeId: StoreId): string | undefined {
  const key = idKey(storeId)
  const summary = node.stores().find((candidate) => idKey(candidate.id) === key)
  return summary?.state === 'active' ? heldDigest(node, storeId) : undefined
}

/** The same of a store that is known to be in use. Sets over different bases are different ones. */
export function heldDigest(node: Node, storeId: StoreId): string | undefined {
  const kernel = kernelOf(node, storeId)
  if (kernel === undefined) return undefined
  const { fingerprint, witnessCount } = kernel.digest()
  if (!isCurrent(kernel)) return undefined
  const base = kernel.base()
  return `${witnessCount} ${toHex(fingerprint)}${base === undefined ? '' : ` over ${toHex(base.epoch)}`}`
}

/**
 * The sets that nodes hold, over the latest base that one of them has: who fetched a store anew may begin later than the
 * others, who are not told to cut there. Undefined for a node whose state is not that of its set.
 */
export function heldDigests(nodes: readonly Node[], storeId: StoreId): readonly (string | undefined)[] {
  const kernels = nodes.map((node) => kernelOf(node, storeId))
  const bases = kernels.flatMap((kernel) => kernel?.base() ?? [])
  const [latest] = bases.toSorted((a, b) => Number(b.seq - a.seq))
  return kernels.map((kernel) => {
    if (kernel === undefined || !isCurrent(kernel)) return undefined
    const { witnessCount, fingerprint } = (latest && kernel.over(latest.epoch)?.digest()) ?? kernel.digest()
    return `${witnessCount} ${toHex(fingerprint)}`
  })
}

/** True when the tables are those of the set, as whatever comes next would find them: nothing of it waits, or stands still. */
export function isCurrent(kernel: Kernel): boolean {
  const { appliedSeq, headSeq, isStale, stalled } = kernel.projection()
  return appliedSeq === headSeq && isStale !== true && stalled === undefined
}

/** Undefined for a store that is about to be in use, or was a moment ago. */
export function kernelOf(node: Node, storeId: StoreId): Kernel | undefined {
  try {
    return node.store(storeId).kernel()
  } catch (error) {
    if (isLatticeError(error)) return undefined
    throw error
  }
}

/** Read at once, for conditions that are asked between two events; kept until something is applied. */
export function tablesDigest(node: Node, storeId: StoreId): string {
  const kernel = node.store(storeId).kernel()
  const { appliedSeq, isStale } = kernel.projection()
  // What is left out, or may do less, after it was applied changes the tables.
  const of = { appliedSeq, isStale, fingerprint: toHex(kernel.digest().fingerprint), view: kernel.membership() }
  const known = tableDigests.get(kernel)
  if (known !== undefined && isSame(known.of, of)) return known.digest
  const hash = createHash('sha256')
  const { system, app } = kernel.tables()
  for (const table of [system, app]) {
    for (const { key, value } of table.scan({})) hash.update(`${key.length} ${value.length} `).update(key).update(value)
    hash.update('end')
  }
  const digest = hash.digest('hex')
  tableDigests.set(kernel, { of, digest })
  return digest
}

interface MadeOf {
  readonly appliedSeq: number
  readonly isStale: true | undefined
  readonly fingerprint: string
  readonly view: object
}

const tableDigests = new WeakMap<object, { readonly of: MadeOf; readonly digest: string }>()

function isSame(one: MadeOf, other: MadeOf): boolean {
  return (
    one.appliedSeq === other.appliedSeq &&
    one.isStale === other.isStale &&
    one.fingerprint === other.fingerprint &&
    one.view === other.view
  )
}
