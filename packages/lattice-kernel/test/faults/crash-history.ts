/**
 * Histories that are recorded for crashes: a store's life with everything that writes, and what it promised on the way.
 *
 * @module
 */
import { join } from 'node:path'
import { assert, type Hash, type IntentionId, isSigned, type SignedIntention, toHex } from '@lattice/model'
import type { StorageHooks } from '@lattice/storage'
import type { Kernel, WitnessEntry } from '../../src/index.ts'
import { at, createTestStore, openTestKernel, signerOf, temporaryDirectory, write } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'
import type { DiskTrace } from './disk-trace.ts'
import { createSnapshotRecorder } from './snapshot-recorder.ts'

/** Somebody was told: it is here for good. */
export interface PromisedIntention {
  readonly id: IntentionId
  /** It may still float: only that it is kept was said. */
  readonly floating: boolean
}

/** What a log of so many records stands for. */
export interface Expected {
  readonly digest: Hash
  readonly forkCount: number
}

export interface RecordedHistory {
  readonly trace: DiskTrace
  readonly promises: readonly PromisedIntention[]
  /** The log at the end: at any moment before, it was a part from the start. */
  readonly log: readonly WitnessEntry[]
  /** By length of the log; undefined inside a run. */
  readonly expected: readonly (Expected | undefined)[]
  readonly storeId: Kernel['storeId']
}

/** One step of a history: answers the kernel to go on with. */
export type HistoryStep = (life: StoreLife) => Promise<void>

export interface StoreLife {
  readonly kernel: () => Kernel
  readonly genesis: IntentionId
  readonly submit: (text: string, deps?: readonly IntentionId[]) => Promise<IntentionId>
  readonly ingest: (batch: readonly SignedIntention[]) => Promise<void>
  readonly reopen: () => Promise<void>
}

/** Who is told what: called with everything that is promised. */
export type OnPromise = (promise: PromisedIntention) => void

/** Lives through the steps; the kernel is open at the end. */
export async function liveThrough(
  steps: readonly HistoryStep[],
  {
    directory,
    hooks,
    onPromise,
  }: { readonly directory: string; readonly hooks: StorageHooks; readonly onPromise: OnPromise },
): Promise<StoreLife> {
  const { options, genesis, ...opened } = await createTestStore({ directory, storageHooks: hooks })
  let { kernel } = opened
  const listen = (): void => {
    // Whoever listens hands it on to peers.
    kernel.onWitnessed(({ intentions }) => {
      for (const { id } of intentions) onPromise({ id, floating: false })
    })
  }
  listen()
  const life: StoreLife = {
    kernel: () => kernel,
    genesis: genesis.id,
    submit: async (text, deps) => {
      const id = await kernel.submit(appOp(text), deps && { deps: () => deps })
      onPromise({ id, floating: false })
      return id
    },
    ingest: async (batch) => {
      for (const outcome of await kernel.ingest(batch, undefined)) {
        if (outcome.kind === 'invalid') continue
        onPromise({ id: outcome.id, floating: outcome.kind === 'floating' })
      }
    },
    reopen: async () => {
      await kernel.close()
      kernel = (await openTestKernel({ ...options })).kernel
      listen()
    },
  }
  for (const step of steps) await step(life)
  return life
}

/** Lives through the steps and closes, with every storage point looked at. */
export async function recordHistory(steps: readonly HistoryStep[]): Promise<RecordedHistory> {
  const directory = join(temporaryDirectory(), 'store')
  const recorder = createSnapshotRecorder(directory)
  const promises: PromisedIntention[] = []
  const onPromise: OnPromise = (promise) => {
    promises.push(promise)
    recorder.promised()
  }
  const life = await liveThrough(steps, { directory, hooks: recorder.hooks, onPromise })
  const log = wholeLog(life.kernel())
  await life.kernel().close()
  recorder.look()
  const { storeId } = life.kernel()
  return { trace: recorder.trace(), promises, log, expected: await expectations(storeId, log), storeId }
}

const PAGE = 4096

export function wholeLog(kernel: Kernel): readonly WitnessEntry[] {
  const entries: WitnessEntry[] = []
  for (;;) {
    const page = kernel.scanWitness(entries.length + 1, PAGE)
    if (page.length === 0) return entries
    entries.push(...page)
  }
}

/** What each length of the log means, by a kernel that was given it run by run. */
async function expectations(
  storeId: Kernel['storeId'],
  log: readonly WitnessEntry[],
): Promise<readonly (Expected | undefined)[]> {
  const { kernel } = await openTestKernel({ storeId, signer: signerOf(99) })
  const expected: (Expected | undefined)[] = [{ digest: await kernel.stateDigest(), forkCount: 0 }]
  let run: SignedIntention[] = []
  for (const [index, { parsed }] of log.entries()) {
    run.push(parsed)
    if (!isSigned(parsed)) continue
    await kernel.ingest(run, undefined)
    run = []
    assert(kernel.stats().witnessCount === index + 1, 'the model witnesses run by run')
    expected[index + 1] = { digest: await kernel.stateDigest(), forkCount: kernel.stats().forkCount }
  }
  await kernel.close()
  return expected
}

const [alice, bob, carol] = [signerOf(1), signerOf(2), signerOf(3)]

/** A short life with every kind of write in it. */
export const SMALL_HISTORY: readonly HistoryStep[] = [
  async ({ submit }) => {
    for (const n of [1, 2, 3]) await submit(`set k${n} v`)
    await Promise.all([4, 5, 6].map(async (n) => submit(`set k${n} v`)))
  },
  async ({ genesis, ingest }) => {
    const run = [write(bob, { prev: genesis, at: at(1), close: false })]
    for (const n of [2, 3, 4])
      run.push(write(bob, { prev: last(run).id, at: at(n), op: appOp(`set b${n} v`), close: n === 4 }))
    await ingest(run)
    // A fork, and an operation that is rejected.
    await ingest([write(bob, { prev: genesis, at: at(9), op: appOp('reject') })])
  },
  async ({ genesis, ingest }) => {
    const chain = [write(carol, { prev: genesis, at: at(1) })]
    for (const n of [2, 3]) chain.push(write(carol, { prev: last(chain).id, at: at(n) }))
    await ingest(chain.slice(1))
    await ingest([
      write(signerOf(4), { prev: genesis, at: at(70_000) }),
      write(signerOf(5), { prev: genesis, at: at(1), close: false }),
    ])
    await ingest(chain.slice(0, 1))
  },
  async ({ submit, reopen }) => {
    await submit(`set large ${'x'.repeat(9000)}`)
    await reopen()
    await submit('set after reopening')
  },
  async ({ genesis, ingest, submit, kernel }) => {
    // What a backup restored elsewhere has written; the next write joins both, and cites more than a write can.
    const others = Array.from({ length: 18 }, (_, n) => write(signerOf(20 + n), { prev: genesis, at: at(5, n) }))
    await ingest([write(alice, { prev: genesis, at: at(500) }), ...others])
    await submit(
      'set joined v',
      others.map(({ id }) => id),
    )
    await kernel().rebuild()
    await Promise.all([1, 2].map(async (n) => submit(`set k${n} w`)))
  },
]

export interface LargeHistory {
  readonly runs: number
  readonly runLength: number
  /** Length of every twelfth payload. */
  readonly blob: number
}

/** Enough bytes and records for what log and state do at times: checkpoints, and state written behind the log. */
export function largeHistory({ runs, runLength, blob }: LargeHistory): readonly HistoryStep[] {
  return [
    async ({ genesis, ingest, submit, reopen }) => {
      let prev = genesis
      for (let run = 0; run < runs; run += 1) {
        const chain = []
        for (let n = 0; n < runLength; n += 1) {
          const text = n % 12 === 0 ? `set blob${run % 3}-${n % 5} ${'y'.repeat(blob)}` : `set r${run}-${n} v`
          const close = n === runLength - 1
          const parsed = write(bob, { prev, at: at(10, run * runLength + n), op: appOp(text), close })
          prev = parsed.id
          chain.push(parsed)
        }
        await ingest(chain)
        if (run % 4 === 3) await Promise.all([1, 2].map(async (n) => submit(`set own${run} ${n}`)))
        if (run === 1) await reopen()
      }
    },
  ]
}

function last<T>(items: readonly T[]): T {
  const item = items.at(-1)
  assert(item !== undefined, 'there is a last one')
  return item
}

/** For messages. */
export function shortHex(id: Uint8Array): string {
  return toHex(id).slice(0, 12)
}
