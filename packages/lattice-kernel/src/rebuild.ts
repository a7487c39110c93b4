/**
 * Builds state anew beside the one in use, then puts it in its place.
 *
 * Readers and the writer go on with the old state meanwhile. A crash leaves a file that the next rebuild deletes; a
 * projection that fails on the way leaves the old state as it was.
 *
 * @module
 */
import { join } from 'node:path'
import { openStateDatabase, removeDatabase, replaceDatabase, type StateDatabase } from '@lattice/storage'
import type { Core } from './core.ts'
import { ProjectionStalled } from './errors.ts'
import { RECORDS_PER_STEP } from './jobs.ts'
import type { RebuildProgress } from './kernel-types.ts'
import { REBUILD_FILE, STATE_FILE } from './log-schema.ts'
import type { LogEntry } from './log-entry.ts'
import type { Projection } from './projection.ts'

export type ProjectionFactory = (state: StateDatabase) => Projection

/** A job step: answers true once the new state is in use. */
export function createRebuild(
  core: Core,
  createProjectionOver: ProjectionFactory,
  onProgress: RebuildProgress | undefined,
): () => boolean {
  const { directory, storeId, projector, storageHooks } = core.options
  const building = join(directory, REBUILD_FILE)
  const options = { storeId, projectorVersion: projector.version, ...(storageHooks && { hooks: storageHooks }) }
  let next: Projection | undefined

  function abandon(): void {
    next?.state.close()
    removeDatabase(building)
  }

  function swap(built: Projection): void {
    const path = join(directory, STATE_FILE)
    built.state.close()
    core.projection().state.close()
    try {
      replaceDatabase(path, building)
    } finally {
      // Whichever of the two is there now.
      core.setProjection(createProjectionOver(openStateDatabase({ ...options, path })))
    }
    core.events.notify({ kind: 'rebuilt', appliedSeq: built.appliedSeq() })
  }

  return () => {
    if (next === undefined) {
      removeDatabase(building)
      next = createProjectionOver(openStateDatabase({ ...options, path: building }))
    }
    try {
      applyNext(next, core.log.reader.from(next.appliedSeq() + 1, RECORDS_PER_STEP))
    } catch (error) {
      abandon()
      throw error
    }
    const { headSeq } = core.log.meta()
    onProgress?.(next.appliedSeq(), headSeq)
    if (next.appliedSeq() < headSeq) return false
    swap(next)
    return true
  }
}

function applyNext(projection: Projection, entries: readonly LogEntry[]): void {
  for (const entry of entries) {
    try {
      projection.apply(entry, 'record')
    } catch (error) {
      throw new ProjectionStalled(entry.meta.seq, entry.parsed.id, error)
    }
  }
  projection.flush()
}
