/** The state at epochs, compared with what the rules make of what lies below them. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  causesOf,
  genesisStoreId,
  idKey,
  type IdKey,
  type IntentionId,
  type ParsedIntention,
  toHex,
  toIntentionId,
  universalOpMessage,
} from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { scanRoot, type StateRoot } from '@lattice/storage'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, KernelEvent } from '../src/index.ts'
import { type CutoffDagOptions, createCutoffDag, readFacts } from './cutoff-dag.ts'
import { createHistory, openCut } from './cutoff-history.ts'
import { createCutoffProjector } from './cutoff-projector.ts'
import { crypto, removeDirectories, signerOf } from './harness.ts'
import { shuffled } from './random-dag.ts'

afterEach(removeDirectories)

const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 2, max: 5 }),
  runs: fc.integer({ min: 10, max: 45 }),
})

/** What lies below an epoch, and the epoch, in the order of the history. */
function pastOf(intentions: readonly ParsedIntention[], epoch: IntentionId): readonly ParsedIntention[] {
  const byKey = new Map<IdKey, ParsedIntention>(intentions.map((parsed) => [idKey(parsed.id), parsed]))
  const past = new Set<IdKey>([idKey(epoch)])
  for (const key of past) {
    const parsed = byKey.get(key)
    if (parsed === undefined || parsed === intentions[0]) continue
    for (const cause of causesOf(parsed.intention)) past.add(idKey(cause))
  }
  return intentions.filter(({ id }) => past.has(idKey(id)))
}

/** The state at an epoch, by the rules alone: the slow model says what counts, and a machine in memory applies it. */
function expectedAt(intentions: readonly ParsedIntention[], epoch: IntentionId): StateRoot {
  const past = pastOf(intentions, epoch)
  const { view, isBeyond } = readFacts(past, new Set(past.map(({ id }) => idKey(id))))
  const tables = { system: createMemoryTable(), app: createMemoryTable() }
  const projector = createCutoffProjector()
  for (const parsed of past.slice(0, -1)) {
    const { id, intention, op } = parsed
    if (op.kind === 'epoch' ? view.faultOf(id) !== undefined : isBeyond(parsed, 'all')) continue
    const projected = {
      id,
      author: intention.author,
      timestamp: intention.timestamp,
      deps: intention.causalDeps.map((dep) => toIntentionId(dep)),
      op: op.kind === 'unknown' ? undefined : universalOpMessage(op),
      follows: () => true,
      covers: () => true,
      ...(isBeyond(parsed, 'privileged') && { limit: 'writer' as const }),
    }
    if (op.kind === 'genesis') projector.applyGenesis(tables, projected)
    else projector.apply(tables, projected)
  }
  return scanRoot(crypto, tables)
}

type Made = Extract<KernelEvent, { kind: 'snapshot_made' }>

function snapshotsMade(kernel: Kernel): readonly Made[] {
  const made: Made[] = []
  kernel.onEvent((event) => {
    if (event.kind === 'snapshot_made') made.push(event)
  })
  return made
}

/** Once it is at the newest settled epoch, where there is one. */
async function settledRoot(kernel: Kernel): Promise<string | undefined> {
  const isAny = kernel.epochs().some(({ isSettled }) => isSettled)
  if (!isAny) return undefined
  const { epoch, root } = await kernel.makeSnapshot()
  return `${toHex(epoch)} ${toHex(root)}`
}

function historyOf(options: CutoffDagOptions) {
  const { genesis, intentions } = createCutoffDag(options)
  return { intentions, storeId: genesisStoreId(genesis) }
}

describe('the state at an epoch', () => {
  // Model: a machine in memory, over what the slow model lets count.
  test('is exactly what lies below it, by what was known there, however it was advanced', async () => {
    let byDifference = 0
    await fc.assert(
      fc.asyncProperty(dags, fc.integer({ min: 1, max: 9 }), async (options, chunk) => {
        const { intentions, storeId } = historyOf(options)
        const { kernel } = await openCut({ storeId, signer: signerOf(99), snapshots: true })
        const made = snapshotsMade(kernel)
        kernel.onEvent((event) => {
          if (event.kind === 'snapshot_progress' && event.from !== undefined) byDifference += 1
        })
        for (let at = 0; at < intentions.length; at += chunk) {
          await kernel.ingest(intentions.slice(at, at + chunk), undefined)
          await settledRoot(kernel)
        }
        for (const { epoch, root } of made) {
          const expected = expectedAt(intentions, epoch)
          expect(toHex(root)).toBe(toHex(expected.hash))
        }
        const { settled } = kernel.snapshot()
        if (settled !== undefined) expect(settled.rows).toEqual(expectedAt(intentions, settled.epoch).rows)
        await kernel.close()
      }),
      { numRuns: 12 },
    )
    expect(byDifference).toBeGreaterThan(10)
  })

  test('is the same whichever way history came, and opened again or not', async () => {
    await fc.assert(
      fc.asyncProperty(dags, fc.integer(), async (options, order) => {
        const { intentions, storeId } = historyOf(options)
        const straight = await openCut({ storeId, signer: signerOf(98), snapshots: true })
        await straight.kernel.ingest(intentions, undefined)
        const expected = await settledRoot(straight.kernel)
        let { kernel, options: opened } = await openCut({ storeId, signer: signerOf(99), snapshots: true })
        const arrivals = shuffled(intentions, order)
        for (let at = 0; at < arrivals.length; at += 7) {
          await kernel.ingest(arrivals.slice(at, at + 7), undefined)
          await settledRoot(kernel)
          if (at % 3 !== 0) continue
          await kernel.close()
          ;({ kernel, options: opened } = await openCut({ ...opened, storeId }))
        }
        expect(await settledRoot(kernel)).toBe(expected)
        await kernel.close()
        // State that is lost begins with what there is at an epoch.
        rmSync(join(opened.directory, 'state.db'))
        ;({ kernel } = await openCut({ ...opened, storeId }))
        expect(await kernel.stateDigest()).toEqual(await straight.kernel.stateDigest())
        expect((await kernel.verify({ full: true })).problems).toEqual([])
        await kernel.close()
        await straight.kernel.close()
      }),
      { numRuns: 8 },
    )
  })
})

const upheld = (kernel: Kernel) => kernel.epochs().map(({ id, isUpheld }) => [toHex(id), isUpheld])

describe('state that is lost', () => {
  test('is made of a snapshot and what follows, and of the log alone where what is known leaves no snapshot as it is', async () => {
    const history = createHistory()
    const cut = history.write(3, 'set cut 1')
    for (let n = 0; n < 30; n += 1) history.write(4, `set below${n} 1`)
    const late = history.write(5, 'reject', [])
    const below = history.all.filter(({ id }) => id !== late.id)
    const epoch = history.remove(1, 5, below)
    const beyond = history.write(4, 'set beyond 1', [epoch])
    const { kernel, options, directory } = await openCut({
      storeId: history.storeId,
      signer: signerOf(99),
      snapshots: true,
    })
    await kernel.ingest(history.all, undefined)
    await kernel.makeSnapshot()
    const digest = await kernel.stateDigest()
    await kernel.close()
    rmSync(join(directory, 'state.db'))
    const again = await openCut({ ...options, storeId: history.storeId })
    expect(await again.kernel.stateDigest()).toEqual(digest)
    expect(again.projector.applied).toEqual([toHex(epoch.id), toHex(beyond.id)])
    expect(again.kernel.projection()).toMatchObject({ appliedSeq: history.all.length })
    expect(upheld(again.kernel)).toEqual([[toHex(epoch.id), true]])
    // Another admin has cut what the snapshot holds, at the same time.
    const other = history.remove(2, 3, history.start)
    await again.kernel.ingest([other], undefined)
    await again.kernel.recheckFloating()
    expect(again.kernel.excluded(9).map(({ id }) => toHex(id))).toContain(toHex(cut.id))
    const after = await again.kernel.stateDigest()
    // State at the epoch is what it was, and not on the way to state now: it is not final.
    expect(upheld(again.kernel)).toEqual([
      [toHex(other.id), true],
      [toHex(epoch.id), false],
    ])
    const upheldThen = upheld(again.kernel)
    await again.kernel.close()
    rmSync(join(directory, 'state.db'))
    const third = await openCut({ ...options, storeId: history.storeId })
    expect(await third.kernel.stateDigest()).toEqual(after)
    expect(upheld(third.kernel)).toEqual(upheldThen)
    const fresh = await openCut({ storeId: history.storeId, signer: signerOf(97) })
    await fresh.kernel.ingest([...history.start, other], undefined)
    await fresh.kernel.ingest(history.all, undefined)
    expect(upheld(fresh.kernel)).toEqual(upheldThen)
    await fresh.kernel.close()
    expect((await third.kernel.verify({ full: true })).problems).toEqual([])
    await third.kernel.close()
  })
})
