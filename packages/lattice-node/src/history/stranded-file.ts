/**
 * Own writes that could not be taken along when a store began anew, kept until somebody has them submitted again.
 *
 * One line each, in the store's directory. It is written before the old log goes, so a crash leaves the write in one of the
 * two at least; a line that is there twice is one write.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kernel, StrandedWrite } from '@lattice/kernel'
import { decodeUniversalOp, encodeUniversalOp, fromHex, readIntentionId, toHex } from '@lattice/model'
import { syncDirectory, translateStorageError } from '@lattice/storage'

const FILE = 'stranded.jsonl'

interface Line {
  readonly id: string
  readonly wall: number
  readonly counter: number
  readonly op: string
}

/**
 * Oldest first. A line that cannot be read is none. What is witnessed here is lost no more: a peer had it beside the cut, and
 * brought it.
 */
export function readStranded(directory: string, { has }: Pick<Kernel, 'has'>): readonly StrandedWrite[] {
  return translated(directory, () => {
    const path = join(directory, FILE)
    if (!existsSync(path)) return []
    const byId = new Map<string, StrandedWrite>()
    for (const text of readFileSync(path, 'utf8').split('\n')) {
      const write = parseLine(text)
      if (write !== undefined && !has(write.id)) byId.set(toHex(write.id), write)
    }
    return [...byId.values()]
  })
}

/** Adds to those that are there. Durable when it returns. */
export function addStranded(directory: string, writes: readonly StrandedWrite[]): void {
  if (writes.length === 0) return
  translated(directory, () => {
    appendFileSync(join(directory, FILE), linesOf(writes), { mode: 0o600, flush: true })
    syncDirectory(directory)
  })
}

/** Keeps these alone. */
export function keepStranded(directory: string, writes: readonly StrandedWrite[]): void {
  translated(directory, () => {
    const path = join(directory, FILE)
    if (writes.length === 0) rmSync(path, { force: true })
    else {
      writeFileSync(`${path}.new`, linesOf(writes), { mode: 0o600, flush: true })
      renameSync(`${path}.new`, path)
    }
    syncDirectory(directory)
  })
}

function linesOf(writes: readonly StrandedWrite[]): string {
  return writes
    .flatMap(({ id, timestamp, op }): readonly string[] => {
      if (op.kind === 'unknown') return []
      const line: Line = { id: toHex(id), ...timestamp, op: toHex(encodeUniversalOp(op)) }
      return [`${JSON.stringify(line)}\n`]
    })
    .join('')
}

function parseLine(text: string): StrandedWrite | undefined {
  if (text === '') return undefined
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line !== 'object' || line === null) return undefined
    const { id, wall, counter, op } = line as Partial<Line>
    const [idBytes, opBytes] = [fromHex(id ?? ''), fromHex(op ?? '')]
    const intentionId = idBytes && readIntentionId(idBytes)
    if (intentionId === undefined || opBytes === undefined) return undefined
    if (typeof wall !== 'number' || typeof counter !== 'number') return undefined
    return { id: intentionId, timestamp: { wall, counter }, op: decodeUniversalOp(opBytes) }
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
