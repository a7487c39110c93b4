/**
 * Opens what a crash left with the real kernel, and holds it against what must be.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, checkWitnessPage, equalBytes, toHex, toWitnessSeq, ZERO_HASH } from '@lattice/model'
import type { Kernel } from '../../src/index.ts'
import { crypto, openTestKernel, signerOf } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'
import { type RecordedHistory, shortHex, wholeLog } from './crash-history.ts'
import type { CrashImage } from './crash-images.ts'
import type { DiskTrace } from './disk-trace.ts'
import { createSnapshotRecorder } from './snapshot-recorder.ts'

/** Files in memory, where the system has such a place: these crashes are made up, so nothing has to reach a disk. */
const SCRATCH: string = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export interface ImageChecker {
  /** What is wrong with what opens from this image, or nothing. `thorough`: also another life after it, and a rebuild. */
  readonly check: (image: CrashImage, thorough: boolean) => Promise<string | undefined>
  /** What is done to the files while this image is opened and closed. */
  readonly recordOpening: (image: CrashImage) => Promise<DiskTrace>
  readonly dispose: () => void
}

export function createImageChecker(history: RecordedHistory): ImageChecker {
  const scratch = mkdtempSync(join(SCRATCH, 'lattice-crash-'))
  let count = 0

  function restore({ files }: CrashImage): string {
    const directory = join(scratch, `${(count += 1)}`)
    mkdirSync(directory)
    for (const [name, bytes] of files()) writeFileSync(join(directory, name), bytes)
    return directory
  }

  async function check(image: CrashImage, thorough: boolean): Promise<string | undefined> {
    const directory = restore(image)
    try {
      const problem = await checkLife(directory, history, image.promised)
      return problem ?? (thorough ? await checkSecondLife(directory, history) : undefined)
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error)
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  async function recordOpening(image: CrashImage): Promise<DiskTrace> {
    const directory = restore(image)
    const recorder = createSnapshotRecorder(directory)
    const { kernel } = await openTestKernel({ directory, storeId: history.storeId, storageHooks: recorder.hooks })
    await kernel.close()
    recorder.look()
    rmSync(directory, { recursive: true })
    return recorder.trace()
  }

  return { check, recordOpening, dispose: () => rmSync(scratch, { recursive: true, force: true }) }
}

async function open(directory: string, { storeId }: RecordedHistory): Promise<Kernel> {
  return (await openTestKernel({ directory, storeId })).kernel
}

async function checkLife(directory: string, history: RecordedHistory, promised: number): Promise<string | undefined> {
  const kernel = await open(directory, history)
  try {
    return (await checkOpened(kernel, history, promised)) ?? (await checkNextWrite(kernel))
  } finally {
    await kernel.close()
  }
}

/** Records and promises that each image is asked for, besides some of the others. */
const NEWEST = 300

async function checkOpened(kernel: Kernel, history: RecordedHistory, promised: number): Promise<string | undefined> {
  const { witnessCount } = kernel.stats()
  // A chain hash stands for all before it, too.
  for (const entry of kernel.history(undefined, NEWEST)) {
    const was = history.log[entry.seq - 1]
    if (was === undefined || !equalBytes(was.chainHash, entry.chainHash)) return `record ${entry.seq} is another`
    if (!equalBytes(was.parsed.signature, entry.parsed.signature)) return `record ${entry.seq} lost its signature`
    if (!kernel.has(entry.parsed.id)) return `record ${entry.seq} is not found by its id`
  }
  const newest = history.promises.slice(Math.max(0, promised - NEWEST), promised)
  const some = history.promises.slice(0, promised).filter((_, index) => index % 37 === 0)
  for (const { id, floating } of [...newest, ...some]) {
    if (kernel.has(id) || (floating && kernel.get(id) !== undefined)) continue
    return `${floating ? 'floating' : 'witnessed'} ${shortHex(id)} is lost, the log has ${witnessCount} records`
  }
  return checkState(kernel, history)
}

/** The whole log, by its signatures and hashes alone. */
function checkChain(kernel: Kernel): string | undefined {
  const page = checkWitnessPage({
    crypto,
    storeId: kernel.storeId,
    witness: signerOf(1).publicKey,
    fromSeq: toWitnessSeq(1),
    prevHash: ZERO_HASH,
    records: wholeLog(kernel).map(({ record }) => record),
  })
  return page.ok ? undefined : `the witness chain is broken: ${page.error.code}`
}

async function checkState(kernel: Kernel, { expected }: RecordedHistory): Promise<string | undefined> {
  const { witnessCount, appliedSeq, forkCount } = kernel.stats()
  if (kernel.projection().stalled !== undefined) return 'the projection stands still'
  if (appliedSeq !== witnessCount) return `applied ${appliedSeq} of ${witnessCount}`
  const meant = expected[witnessCount]
  if (meant === undefined) return `a group is there in part: ${witnessCount} records`
  if (forkCount !== meant.forkCount) return `${forkCount} forks, not ${meant.forkCount}`
  if (!equalBytes(await kernel.stateDigest(), meant.digest)) return `state is not what ${witnessCount} records make`
  return undefined
}

/** The own chain goes on from its end: no fork that was not there, and no tip more. */
async function checkNextWrite(kernel: Kernel): Promise<string | undefined> {
  const before = kernel.stats()
  if (before.witnessCount === 0) return undefined
  const tips = ownTips(kernel)
  await kernel.submit(appOp('set next write'))
  const after = kernel.stats()
  if (after.witnessCount <= before.witnessCount) return 'the next write is not witnessed'
  if (after.forkCount !== before.forkCount) return 'the next write forks the own chain'
  if (ownTips(kernel) !== tips) return `the own chain had ${tips} tips and has ${ownTips(kernel)}`
  return undefined
}

function ownTips(kernel: Kernel): number {
  return kernel.tips().find(({ author }) => equalBytes(author, signerOf(1).publicKey))?.tips.length ?? 0
}

/** Opens again after the first life's write, rebuilds, writes on. */
async function checkSecondLife(directory: string, history: RecordedHistory): Promise<string | undefined> {
  const kernel = await open(directory, history)
  try {
    const { witnessCount, appliedSeq, forkCount } = kernel.stats()
    if (appliedSeq !== witnessCount) return `second life: applied ${appliedSeq} of ${witnessCount}`
    const digest = toHex(await kernel.stateDigest())
    await kernel.rebuild()
    if (toHex(await kernel.stateDigest()) !== digest) return 'second life: state is not what the log makes'
    if (witnessCount === 0) return undefined
    await kernel.submit(appOp('set third life'))
    const chain = checkChain(kernel)
    if (chain !== undefined) return `second life: ${chain}`
    if (kernel.stats().forkCount !== forkCount) return 'second life: the next write forks the own chain'
    assert(kernel.stats().witnessCount > witnessCount, 'the write is witnessed')
    return undefined
  } finally {
    await kernel.close()
  }
}
