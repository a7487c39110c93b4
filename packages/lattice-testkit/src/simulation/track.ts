/**
 * An act is begun and not waited for: it ends when it can, or with the node it was asked of. What is refused is refused by
 * a typed error; any other error, and an act that never ends, is a finding.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'
import { find } from './run-record.ts'
import type { World } from './world.ts'

/** Follows an act to its end. */
export function track<T>(
  { record, mesh }: Pick<World, 'record' | 'mesh'>,
  { what, index, work }: { readonly what: string; readonly index: number; readonly work: () => Promise<T> },
  onDone?: (result: T) => void,
): void {
  const token = Symbol(what)
  const { generation } = mesh.life(index)
  const isAlive = (): boolean => mesh.life(index).generation === generation
  record.underWay.set(token, { what, node: index })
  const run = async (): Promise<void> => {
    try {
      const result = await work()
      if (isAlive()) onDone?.(result)
    } catch (error) {
      if (!isAlive()) return
      if (isLatticeError(error)) record.journal.note(`node-${index}: ${what} was refused: ${error.code}`)
      else find(record, 'errors_are_typed', `node-${index}: ${what} failed with ${String(error)}`)
    } finally {
      record.underWay.delete(token)
    }
  }
  run().catch(() => undefined)
}
