/**
 * Looks through a store that is in use.
 *
 * @module
 */
import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { threadedFileCheck } from '@lattice/storage'
import { compareState } from './compare-state.ts'
import type { Core } from './core.ts'
import { KernelClosed, ProjectionStalled, SnapshotUnavailable } from './errors.ts'
import { reasonOf } from './record-scan.ts'
import type { ProjectionFactory } from './projection.ts'
import { checkSnapshots } from './check-snapshots.ts'
import type { Snapshots } from './snapshots.ts'
import { type Slicer, type VerifyOther, verifyTarget } from './verify.ts'
import type { VerifyOptions, VerifyReport } from './verify-types.ts'

/** A copy of the log, for SQLite to look through while the log itself is held. */
const COPY_FILE = 'log.verify.db'
/** Room left on the disk beside a copy, as a part of it. */
const ROOM_FACTOR = 1.2

export interface VerifyKernelDeps {
  readonly core: Core
  readonly createProjectionOver: ProjectionFactory
  readonly isOpen: () => boolean
  readonly snapshots: Pick<Snapshots, 'whole'>
}

/** Verifies the store of an open kernel. Rejects with `KernelClosed` when it closes meanwhile. */
export async function verifyKernel(
  { core, createProjectionOver, isOpen, snapshots }: VerifyKernelDeps,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { storeId, signer, directory } = core.options
  const unchecked: string[] = []
  let stateRows = 0
  const state: VerifyOther = {
    part: 'state',
    kind: 'state',
    run: async (slicer) => {
      try {
        const { problems, rows } = await compareState({ core, createProjectionOver, whole: snapshots.whole }, slicer)
        stateRows = rows
        return problems
      } catch (error) {
        if (error instanceof SnapshotUnavailable) {
          unchecked.push('whether state is what the log makes: it is pruned, and there is no snapshot to begin with')
          return []
        }
        if (!(error instanceof ProjectionStalled)) throw error
        unchecked.push('whether state is what the log makes: the state machine stands still')
        return []
      }
    },
  }
  const file: VerifyOther = {
    part: 'file',
    kind: 'file',
    run: async (slicer) => {
      if (hasRoom(directory)) return checkCopy(core, slicer)
      unchecked.push('the structure of log.db: the disk has no room for a copy to look through')
      return []
    },
  }
  const kept: VerifyOther = {
    part: 'state',
    kind: 'state',
    run: async (slicer) => checkSnapshots(core, snapshots.whole, slicer),
  }
  if (options.full !== true) {
    unchecked.push('the structure of log.db', 'whether state is what the log makes')
  }
  const report = await verifyTarget(
    {
      database: core.log.database,
      storeId,
      witnessKey: signer.publicKey,
      headSeq: core.log.meta().headSeq,
      range: core.log.range,
      excluded: core.log.excluded,
      assertReadable: () => {
        if (!isOpen()) throw new KernelClosed(storeId)
      },
      others: options.full === true ? [state, kept, file] : [],
      unchecked,
    },
    core.options,
    options,
  )
  return { ...report, stateRows }
}

function hasRoom(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize > statSync(join(directory, 'log.db')).size * ROOM_FACTOR
}

async function checkCopy({ log, options }: Core, slicer: Slicer): Promise<readonly string[]> {
  const copy = join(options.directory, COPY_FILE)
  try {
    slicer.report({ part: 'file', done: 0, total: 1 })
    const found = await (options.fileCheck ?? threadedFileCheck).open(log.database, copy)
    slicer.report({ part: 'file', done: 1, total: 1 })
    return found.map((sentence) => `log.db: ${sentence}`)
  } catch (error) {
    return [`log.db cannot be copied: ${reasonOf(error)}`]
  }
}
