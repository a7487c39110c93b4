/**
 * Takes a foundation in from a peer, and makes the log of it: see `foundation-types.ts` for what that is.
 *
 * Items are checked as they come and kept in a file beside; one that is refused takes all the others along, for they are the
 * same peer's. Once all are there the log is made in a directory of its own and moved into its place: before that there is
 * no log, after it a whole one. So whatever ends this half-way, it goes on where it was.
 *
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { assert, err, ok, type Result } from '@lattice/model'
import { StorageFailed, translateStorageError } from '@lattice/storage'
import { FoundationCheck } from './foundation-check.ts'
import { encodeFoundationItem } from './foundation-codec.ts'
import { FOUNDATION_BYTES_MAX } from './foundation-limits.ts'
import { type FoundationWriterOptions, makeFoundationLog, removeUnfinishedLog } from './foundation-log.ts'
import { type Problem, problem } from './foundation-problem.ts'
import {
  FOUNDATION_FILE,
  type FoundationStaging,
  openFoundationStaging,
  removeFoundationStaging,
} from './foundation-staging.ts'
import type { FoundationEnd, FoundationPlace, FoundationRefused, FoundationWriter } from './foundation-types.ts'
import { LOG_FILE } from './log-schema.ts'

/** Begins in a directory, or goes on where one ended. Throws `DiskFull` or `StorageFailed`. */
export function createFoundationWriter(options: FoundationWriterOptions): FoundationWriter {
  const { directory, storeId, storageHooks } = options
  makeDirectory(directory)
  if (existsSync(join(directory, LOG_FILE)) && !existsSync(join(directory, FOUNDATION_FILE))) {
    throw new StorageFailed(directory, 'it holds a store already: begin in an empty directory')
  }
  const staging = openFoundationStaging(directory, storeId, storageHooks)
  const vectors = createVectors(staging)
  const newCheck = (): FoundationCheck =>
    new FoundationCheck({ ...options, policy: options.membership, vectorOf: vectors.of })
  let check = resume(staging, newCheck)
  let isOver = false

  function forget(): void {
    staging.clear()
    removeUnfinishedLog(directory)
    vectors.saved()
    check = newCheck()
  }

  function refuse({ code, problem: why }: Problem, item: number | undefined): Result<never, FoundationRefused> {
    forget()
    return err({ code, item, problem: `the foundation of the store is refused: ${why}` })
  }

  function add(items: Parameters<FoundationWriter['add']>[0]): ReturnType<FoundationWriter['add']> {
    assert(!isOver, 'a foundation is added to while it is open')
    const encoded: Uint8Array[] = []
    let bytes = staging.bytes()
    for (const item of items) {
      const at = check.taken()
      const whole = encodeFoundationItem(item)
      bytes += whole.length
      if ('place' in item) vectors.note(at, item.place.vector)
      const found = bytes > FOUNDATION_BYTES_MAX ? problem('too_large', 'it has too many bytes') : check.take(item)
      if (found !== undefined) return refuse(found, at)
      encoded.push(whole)
    }
    try {
      staging.append(encoded)
    } catch (error) {
      check = resume(staging, newCheck)
      throw error
    } finally {
      vectors.saved()
    }
    return ok(undefined)
  }

  function finish(): Result<FoundationEnd, FoundationRefused> {
    assert(!isOver, 'a foundation is finished while it is open')
    const end = check.end()
    if (!end.ok) return refuse(end.error, undefined)
    // Made already where this was asked before and the answer was lost.
    if (existsSync(join(directory, LOG_FILE))) return end
    const made = makeFoundationLog({ ...options, check, itemAt: staging.at })
    return made === undefined ? end : refuse(made, undefined)
  }

  return {
    position: () => check.taken(),
    positions: () => check.lanes.positions,
    add,
    finish,
    abort: () => {
      isOver = true
      staging.close()
      removeFoundationStaging(directory)
      removeUnfinishedLog(directory)
    },
    close: () => {
      if (!isOver) staging.close()
      isOver = true
    },
  }
}

interface Vectors {
  readonly of: (item: number) => FoundationPlace['vector']
  /** Of an item that is not on the disk yet. */
  readonly note: (item: number, vector: FoundationPlace['vector']) => void
  readonly saved: () => void
}

function createVectors(staging: FoundationStaging): Vectors {
  const fresh = new Map<number, FoundationPlace['vector']>()
  return {
    of: (item) => {
      const known = fresh.get(item)
      if (known !== undefined) return known
      const stored = staging.at(item)
      return stored !== undefined && 'place' in stored ? stored.place.vector : []
    },
    note: (item, vector) => void fresh.set(item, vector),
    saved: () => fresh.clear(),
  }
}

/** Checks again what is there; all of it is forgotten where it cannot be gone on with. */
function resume(staging: FoundationStaging, newCheck: () => FoundationCheck): FoundationCheck {
  const check = newCheck()
  for (let at = 0; at < staging.count(); at += 1) {
    const item = staging.at(at)
    if (item !== undefined && check.take(item) === undefined) continue
    staging.clear()
    return newCheck()
  }
  return check
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw translateStorageError(error, { path: directory, contents: 'log' })
  }
}
