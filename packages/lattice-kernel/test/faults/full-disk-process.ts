/**
 * A process whose disk gets full: it writes until it is refused, twice, and says what it saw as one line of JSON.
 *
 * The directory holds two files that take up room, `ballast-1` and `ballast-2`; removing one makes room.
 *
 * @module
 */
import { rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { genesisStoreId, type IntentionId, isLatticeError, toHex } from '@lattice/model'
import type { Kernel } from '../../src/index.ts'
import { at, createTestStore, genesisOf, openTestKernel, signerOf, write } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'

/** What a life on a disk that gets full comes to. */
export interface FullDiskReport {
  /** Codes of what was refused: writes, then the ingest of another's. */
  readonly refused: readonly string[]
  /** What happened in order. */
  readonly lost: number
  readonly acknowledged: number
  readonly forks: number
  readonly stateIsLog: boolean
  /** Writing went on: without reopening, with reopening on the full disk, and after it. */
  readonly wentOn: readonly boolean[]
}

const [, , directory = '', mayFree = 'yes'] = process.argv
const store = join(directory, 'store')
const acknowledged: IntentionId[] = []
const refused: string[] = []
const wentOn: boolean[] = []
const BLOB = 'z'.repeat(6000)
/** Far more than any disk of these tests holds. */
const WRITES_MAX = 2000

async function tryWrite(kernel: Kernel, text: string): Promise<string | undefined> {
  try {
    acknowledged.push(await kernel.submit(appOp(text)))
    return undefined
  } catch (error) {
    return isLatticeError(error) ? error.code : `untyped: ${String(error)}`
  }
}

async function fill(kernel: Kernel): Promise<void> {
  for (let n = 0; n < WRITES_MAX; n += 1) {
    const code = await tryWrite(kernel, `set k${n % 5} ${n}${BLOB}`)
    if (code === undefined) continue
    refused.push(code)
    return
  }
  refused.push('never full')
}

/** Goes on as a person would: the projection is told to try again where it stands. */
async function goOn(kernel: Kernel): Promise<boolean> {
  if (kernel.projection().stalled !== undefined) await kernel.retry()
  return (await tryWrite(kernel, 'set on v')) === undefined
}

const { kernel, genesis } = await createTestStore({ directory: store })
await fill(kernel)
const his = write(signerOf(2), { prev: genesis.id, at: at(1), op: appOp(`set his ${BLOB}${BLOB}${BLOB}`) })
try {
  await kernel.ingest([his], undefined)
  refused.push('taken in')
} catch (error) {
  refused.push(isLatticeError(error) ? error.code : `untyped: ${String(error)}`)
}
const readable = acknowledged.every((id) => kernel.has(id) && kernel.get(id) !== undefined)
await kernel.stateDigest()
if (mayFree === 'yes') {
  rmSync(join(directory, 'ballast-1'))
  wentOn.push(readable && (await goOn(kernel)))
  await fill(kernel)
}
await kernel.close()

const storeId = genesisStoreId(genesisOf(signerOf(1)))
const again = await openTestKernel({ directory: store, storeId })
wentOn.push(acknowledged.every((id) => again.kernel.has(id)))
if (mayFree === 'yes') {
  rmSync(join(directory, 'ballast-2'))
  wentOn.push(await goOn(again.kernel))
  const taken = await again.kernel.ingest([his], undefined)
  wentOn.push(taken[0]?.kind === 'witnessed' || taken[0]?.kind === 'duplicate')
}
const digest = toHex(await again.kernel.stateDigest())
if (mayFree === 'yes') await again.kernel.rebuild()
const report: FullDiskReport = {
  refused,
  wentOn,
  acknowledged: acknowledged.length,
  lost: acknowledged.filter((id) => !again.kernel.has(id)).length,
  forks: again.kernel.stats().forkCount,
  stateIsLog: toHex(await again.kernel.stateDigest()) === digest,
}
await again.kernel.close()
writeSync(1, `${JSON.stringify(report)}\n`)
