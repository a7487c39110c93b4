/**
 * Says which intentions replicas differ by, what those that lack one know of it, and what each says of its epochs.
 *
 * @module
 */
import type { Kernel, WitnessEntry } from '@lattice/kernel'
import { type IdKey, idKey, type IntentionId, type PublicKey, type StoreId, toHex } from '@lattice/model'
import { storeIn, type World } from './world.ts'

/** Intentions told of, per store: the first of them explain the others. */
const MAX_TOLD = 4
const PAGE = 256
const MAX_EPOCHS_TOLD = 8

export function explainDifference(world: World): string {
  const stores = [...Object.entries(world.stores), ...world.record.made.map(({ name, id }) => [name, id] as const)]
  return stores.flatMap(([name, id]) => explainStore(world, name, id)).join('\n')
}

function explainStore(world: World, name: string, storeId: StoreId): readonly string[] {
  const kernels = world.honest.flatMap((index) => {
    const kernel = storeIn(world, index, storeId)?.kernel()
    return kernel === undefined ? [] : [{ index, kernel, ids: witnessed(kernel) }]
  })
  const all = new Map(kernels.flatMap(({ ids }) => [...ids]))
  const differing = [...all].filter(([key]) => kernels.some(({ ids }) => !ids.has(key)))
  const lacks = differing.slice(0, MAX_TOLD).map(([key, { id, author, wall }]) => {
    const lacking = kernels.filter(({ ids }) => !ids.has(key))
    const why = lacking.map(({ index, kernel }) => `node-${index} (${statusOf(kernel, key)})`)
    const by = world.indexOf(author) ?? '?'
    return `${name}: ${toHex(id).slice(0, 12)} of node-${by} at ${wall} is lacking on ${why.join(', ')}`
  })
  const epochs = kernels.map(
    ({ index, kernel }) => `${name} on node-${index}${cutOf(kernel)}: ${epochsOf(world, kernel)}`,
  )
  return [...lacks, ...epochs]
}

/** Where a history that was cut begins, and what the next cut waits for. */
function cutOf(kernel: Kernel): string {
  const base = kernel.base()
  const { state, waitsFor } = kernel.pruning()
  const from = base === undefined ? '' : ` from ${toHex(base.epoch).slice(0, 8)}`
  return waitsFor === undefined ? from : `${from} (${state} for ${waitsFor})`
}

/** The epochs of a node, newest first. */
function epochsOf({ indexOf }: World, kernel: Kernel): string {
  const texts = kernel.epochs().map(({ id, seq, author, cause, fault, waitingFor, isSettled, isFinal }) => {
    const removals = cause.kind === 'membership' ? cause.removals : []
    const removed = removals.map(({ peer, remains }) => ` node-${indexOf(peer) ?? '?'} to ${remains}`)
    const what = `${toHex(id).slice(0, 8)} ${seq} by node-${indexOf(author) ?? '?'} ${cause.kind}${removed.join()}`
    const awaited = `waits for node-${waitingFor.map((key) => indexOf(key) ?? '?').join()}`
    const why = fault ?? (isSettled ? (isFinal ? undefined : 'not final') : awaited)
    return why === undefined ? what : `${what} (${why})`
  })
  return texts.slice(0, MAX_EPOCHS_TOLD).join('; ')
}

interface Told {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly wall: number
}

function toTold(entry: WitnessEntry): Told {
  const { author, timestamp } = entry.parsed.intention
  return { id: entry.parsed.id, author, wall: timestamp.wall }
}

function witnessed(kernel: Kernel): ReadonlyMap<IdKey, Told> {
  const ids = new Map<IdKey, Told>()
  for (let seq = kernel.base()?.fromSeq ?? 1; ;) {
    const page = kernel.scanWitness(seq, PAGE)
    for (const entry of page) ids.set(idKey(entry.parsed.id), toTold(entry))
    if (page.length < PAGE) return ids
    seq += page.length
  }
}

function statusOf(kernel: Kernel, key: IdKey): string {
  const waiting = kernel.floating(PAGE).find(({ parsed }) => idKey(parsed.id) === key)
  if (waiting === undefined) return 'unknown there'
  const missing = waiting.missing.map((id) => toHex(id).slice(0, 12)).join(' ')
  return `floats: ${waiting.reason}${missing === '' ? '' : ` ${missing}`}`
}
