/**
 * A process that opens a store, or its bare files, and says what that took. New for each measurement, as memory that was
 * once taken is not given back.
 *
 *   node --expose-gc open-probe.ts kernel|bare <folder>
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { assert } from '@lattice/model'
import { peekLog } from '@lattice/kernel'
import { openBare } from './bare-store.ts'
import { medianOf } from './sample.ts'
import { openStore } from './store.ts'

/** What one opening took: the first of a process, one when the code is warm, and memory that it left behind. */
export interface Opened {
  readonly firstMs: number
  readonly warmMs: number
  readonly rssMb: number
  /** From asking for the range index to its first fingerprint. Zero for bare files. */
  readonly rangeIndexMs: number
  readonly rangeIndexRssMb: number
}

interface Handle {
  readonly firstFingerprint: () => void
  readonly close: () => void | Promise<void>
}

const WARM_OPENS = 10
const MIB = 1024 * 1024

const [kind, directory] = process.argv.slice(2)
assert(directory !== undefined && (kind === 'kernel' || kind === 'bare'), 'the probe is told what to open')
const open = kind === 'kernel' ? await kernelOpener(directory) : bareOpener(directory)
process.send?.(await probe())

async function probe(): Promise<Opened> {
  const before = rss()
  const [first, firstMs] = await timed(open)
  const opened = rss()
  const [, rangeIndexMs] = await timed(first.firstFingerprint)
  const indexed = rss()
  await first.close()
  const warm: number[] = []
  for (let turn = 0; turn < WARM_OPENS; turn += 1) {
    const [again, ms] = await timed(open)
    warm.push(ms)
    await again.close()
  }
  return {
    firstMs,
    warmMs: medianOf(warm),
    rssMb: (opened - before) / MIB,
    rangeIndexMs,
    rangeIndexRssMb: (indexed - opened) / MIB,
  }
}

async function kernelOpener(folder: string): Promise<() => Promise<Handle>> {
  const storeId = peekLog(folder)?.storeId
  assert(storeId !== undefined, 'there is a store')
  return async () => {
    const { kernel } = await openStore({ directory: folder, storeId, open: true })
    return {
      firstFingerprint: () => {
        const index = kernel.rangeIndex()
        index.accumulate(0, index.size())
      },
      close: kernel.close,
    }
  }
}

/** Opens every database of the folder, as far as SQLite needs to before the first statement. */
function bareOpener(folder: string): () => Handle {
  const paths = readdirSync(folder)
    .filter((name) => name.endsWith('.db'))
    .map((name) => join(folder, name))
  return () => {
    const databases = paths.map((path) => {
      const database = openBare(path, 'FULL')
      database.prepare('SELECT count(*) FROM sqlite_master').get()
      return database
    })
    return { firstFingerprint: () => {}, close: () => databases.forEach((database) => database.close()) }
  }
}

async function timed<T>(work: () => T | Promise<T>): Promise<readonly [T, number]> {
  const startedMs = performance.now()
  const value = await work()
  return [value, performance.now() - startedMs]
}

function rss(): number {
  globalThis.gc?.()
  return process.memoryUsage.rss()
}
