/**
 * A kernel that prunes beside one that never does, and what has to be the same of them.
 *
 * @module
 */
import { compareBytes, type ParsedIntention, toHex, ZERO_HASH } from '@lattice/model'
import { addInto } from '@lattice/sync'
import { expect } from 'vitest'
import type { Kernel, KernelEvent } from '../src/index.ts'
import { openTestKernel, signerOf, type TestKernel, type TestKernelOptions } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { type PruneHistory, shuffled } from './prune-history.ts'

const hex = (ids: readonly Uint8Array[]): readonly string[] => ids.map(toHex)

export async function openPruning(
  { storeId }: Pick<PruneHistory, 'storeId'>,
  options: Partial<TestKernelOptions> = {},
): Promise<TestKernel> {
  return openTestKernel({
    storeId,
    signer: signerOf(9),
    membership: createModelPolicy(),
    snapshots: true,
    ackDelayMs: Infinity,
    ...options,
  })
}

/** Resolves at an event after which something holds. */
export async function until(kernel: Kernel, holds: (event: KernelEvent) => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = kernel.onEvent((event) => {
      if (!holds(event)) return
      cancel()
      resolve()
    })
  })
}

export async function ingest(kernel: Kernel, intentions: readonly ParsedIntention[]): Promise<void> {
  const outcomes = await kernel.ingest(intentions, undefined)
  expect(outcomes.filter(({ kind }) => kind !== 'witnessed' && kind !== 'duplicate')).toEqual([])
}

function sumOf(intentions: readonly ParsedIntention[]): Uint8Array {
  const sum = new Uint8Array(ZERO_HASH.length)
  for (const { id } of intentions) addInto(sum, id)
  return sum
}

export async function expectSame(pruned: Kernel, whole: Kernel, expected: readonly ParsedIntention[]): Promise<void> {
  expect(toHex(await pruned.stateDigest())).toBe(toHex(await whole.stateDigest()))
  expect(pruned.digest().witnessCount).toBe(expected.length)
  expect(toHex(pruned.digest().fingerprint)).toBe(toHex(sumOf(expected)))
  const index = pruned.rangeIndex()
  expect(index.size()).toBe(expected.length)
  const items = [...index.items(0, index.size())].map(({ id }) => toHex(id)).sort()
  expect(items).toEqual(expected.map(({ id }) => toHex(id)).sort())
  expect(hex(pruned.frontier())).toEqual(hex(whole.frontier()))
  const tips = (kernel: Kernel) =>
    kernel
      .tips()
      .map(({ author, tips: ends }) => ({
        author: toHex(author),
        tips: ends.map(({ id, position, joined }) => `${toHex(id)} ${position} ${joined}`).sort(),
      }))
      .sort((a, b) => (a.author < b.author ? -1 : 1))
  expect(tips(pruned)).toEqual(tips(whole))
  expect(toHex(pruned.digest().tipsDigest)).toBe(toHex(whole.digest().tipsDigest))
  const epochs = (kernel: Kernel) =>
    kernel.epochs().map(({ id, fault, isHead, isSettled, isUpheld, waitingFor }) => ({
      id: toHex(id),
      fault,
      isHead,
      isSettled,
      isUpheld,
      waitingFor: hex(waitingFor),
    }))
  expect(epochs(pruned)).toEqual(epochs(whole))
  for (const one of expected) expect(pruned.has(one.id)).toBe(true)
}

/** Whoever has acknowledged the base is known to have seen the same. */
export function expectSameSeen(
  { peers }: PruneHistory,
  { pruned, whole }: { readonly pruned: Kernel; readonly whole: Kernel },
): void {
  const members = peers.map(({ publicKey }) => publicKey)
  const seenBy = (kernel: Kernel) => {
    const { authors, stability } = kernel.observations(members)
    return {
      lags: members.map((key) => kernel.lag(key).unseen),
      authors: authors
        .map(({ author, seen, unseen }) => ({
          author: toHex(author),
          unseen,
          seen: seen.map((cell) => `${toHex(cell.author)} ${cell.count} ${cell.position}`).sort(),
        }))
        .sort((a, b) => (a.author < b.author ? -1 : 1)),
      stability: { count: stability.count, ids: hex(stability.ids).toSorted() },
    }
  }
  expect(seenBy(pruned)).toEqual(seenBy(whole))
}

/** What of the set of a log that was never pruned one with this base holds. */
export function keptOf(
  { all, isBelow }: PruneHistory,
  whole: Kernel,
  base: ParsedIntention,
): readonly ParsedIntention[] {
  const index = whole.rangeIndex()
  const ids = new Set([...index.items(0, index.size())].map(({ id }) => toHex(id)))
  const isSpine = ({ op }: ParsedIntention): boolean => ['genesis', 'system', 'epoch'].includes(op.kind)
  return all.filter((one) => ids.has(toHex(one.id)) && (!isBelow(one, base) || isSpine(one)))
}

/** Makes a prune final in the pruned kernel, and waits until it is done. */
export async function finishPrune(
  history: PruneHistory,
  { pruned, whole }: { readonly pruned: Kernel; readonly whole: Kernel },
  { epoch, early }: { readonly epoch: ParsedIntention; readonly early: readonly ParsedIntention[] },
): Promise<void> {
  await ingest(whole, [...early, epoch])
  const made = until(pruned, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(epoch.id))
  await ingest(pruned, shuffled(history, [...early, epoch]))
  await made
  const { candidate, settled } = pruned.snapshot()
  const root = [candidate, settled].find((info) => info && toHex(info.epoch) === toHex(epoch.id))?.root
  if (root === undefined) throw new Error('there is no root')
  const acks = history.active().flatMap((n) => {
    const { publicKey } = history.peers[n] ?? history.creator
    return compareBytes(publicKey, epoch.intention.author) === 0 ? [] : [history.ack(n, epoch, root)]
  })
  await ingest(whole, acks)
  const done = until(pruned, ({ kind }) => kind === 'pruned')
  await ingest(pruned, shuffled(history, acks))
  await done
}
