/**
 * Own writes that could not be taken along when a store began anew, kept until somebody has them submitted again.
 *
 * One line each, in the store's directory. The file is replaced as a whole by one that is on the disk, so a crash or a full
 * disk leaves all that it held; what is added is in it before the old log goes, so each write is in one of the two at least.
 * A line that is there twice is one write.
 *
 * @module
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isMadeAgain, type Kernel, type StrandedWrite } from '@lattice/kernel'
import { decodeUniversalOp, fromHex, type IdKey, idKey, readIntentionId, toHex } from '@lattice/model'
import { syncDirectory, translateStorageError } from '@lattice/storage'
import { writeFileAtomic } from '../atomic-file.ts'

const FILE = 'stranded.jsonl'
const OWNER_ONLY = 0o600

interface Line {
  readonly id: string
  readonly wall: number
  readonly counter: number
  /** The payload as it was signed, in hex. */
  readonly op: string
}

/**
 * Oldest first. A line that cannot be read is none: an earlier version left such where it lost power as it added to the
 * file, and adds again what that was of. What is witnessed here is lost no more: a peer had it beside the cut, and brought it.
 */
export function readStranded(directory: string, { has }: Pick<Kernel, 'has'>): readonly StrandedWrite[] {
  return readAll(directory).filter(({ id, op }) => !has(id) && !isMadeAgain(op))
}

/** Adds these pages to what is there. Durable when it returns; what was there stays where it throws. */
export function addStranded(directory: string, pages: Iterable<readonly StrandedWrite[]>): void {
  const there = readAll(directory)
  replace(directory, linesOf([there], pages))
}

/** Keeps these alone. */
export function keepStranded(directory: string, writes: readonly StrandedWrite[]): void {
  if (writes.length > 0) return replace(directory, linesOf([writes]))
  translated(directory, () => {
    rmSync(join(directory, FILE), { force: true })
    syncDirectory(directory)
  })
}

function readAll(directory: string): readonly StrandedWrite[] {
  return translated(directory, () => {
    const path = join(directory, FILE)
    if (!existsSync(path)) return []
    const byId = new Map<IdKey, StrandedWrite>()
    for (const text of readFileSync(path, 'utf8').split('\n')) {
      const write = parseLine(text)
      if (write !== undefined) byId.set(idKey(write.id), write)
    }
    return [...byId.values()]
  })
}

function replace(directory: string, lines: Iterable<Uint8Array>): void {
  translated(directory, () => writeFileAtomic(join(directory, FILE), lines, OWNER_ONLY))
}

function* linesOf(...sources: readonly Iterable<readonly StrandedWrite[]>[]): Iterable<Uint8Array> {
  for (const pages of sources) {
    for (const page of pages) yield new TextEncoder().encode(page.map(lineOf).join(''))
  }
}

function lineOf({ id, timestamp, ops }: StrandedWrite): string {
  const line: Line = { id: toHex(id), ...timestamp, op: toHex(ops) }
  return `${JSON.stringify(line)}\n`
}

function parseLine(text: string): StrandedWrite | undefined {
  if (text === '') return undefined
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line !== 'object' || line === null) return undefined
    const { id, wall, counter, op } = line as Partial<Line>
    const [idBytes, ops] = [fromHex(id ?? ''), fromHex(op ?? '')]
    const intentionId = idBytes && readIntentionId(idBytes)
    if (intentionId === undefined || ops === undefined) return undefined
    if (typeof wall !== 'number' || typeof counter !== 'number') return undefined
    return { id: intentionId, timestamp: { wall, counter }, ops, op: decodeUniversalOp(ops) }
  } catch {
    return undefined
  }
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
