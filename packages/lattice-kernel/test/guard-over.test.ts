/** Damage met by a set over an epoch, or a page of a foundation, is told as any other. */
import { toIntentionId } from '@lattice/model'
import { LogDamaged } from '@lattice/storage'
import { afterEach, expect, test } from 'vitest'
import type { KernelEvent } from '../src/index.ts'
import { guardOver } from '../src/guard-over.ts'
import { changeTable } from './damage.ts'
import { removeDirectories } from './harness.ts'
import { createPruneHistory } from './prune-history.ts'
import { ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

/** A store of which one record beside an epoch is damaged. */
async function openDamaged() {
  const history = createPruneHistory(8)
  history.writes(10)
  const epoch = history.prune(0)
  const [beside] = history.writes(1, [1])
  const { kernel, directory, options } = await openPruning(history, { snapshots: false })
  await ingest(kernel, history.all)
  const acks = [1, 2, 3].map((by) => history.ack(by, epoch, new Uint8Array(32)))
  await ingest(kernel, acks)
  // More than are looked at when it is opened.
  await ingest(kernel, history.writes(80))
  const { seq = 0 } = (beside && kernel.get(beside.id)) ?? {}
  await kernel.close()
  changeTable(directory, `UPDATE intentions SET record = x'00' WHERE seq = ${seq}`)
  const opened = await openPruning(history, options)
  const failed: KernelEvent[] = []
  opened.kernel.onEvent((event) => event.kind === 'failed' && failed.push(event))
  return { kernel: opened.kernel, epoch, failed }
}

test('in the digest of a set', async () => {
  const { kernel, epoch, failed } = await openDamaged()
  const set = kernel.over(epoch.id)
  expect([kernel.over(epoch.id) === set, failed]).toEqual([true, []])
  expect(() => set?.digest()).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }))
  expect(failed).toHaveLength(1)
  await kernel.close()
})

test('in a page of a foundation, of which more is known later', () => {
  const told: unknown[] = []
  const damage = new LogDamaged('log.db', { record: 'witness 7', problem: 'it is cut short' })
  let items = 1
  const read = (): never => {
    throw damage
  }
  const base = toIntentionId(new Uint8Array(32))
  const guarded = guardOver(
    {
      over: () => undefined,
      foundation: () => ({
        base,
        get items() {
          return items
        },
        read,
      }),
    },
    (error) => told.push(error),
  )
  const foundation = guarded.foundation()
  items = 2
  expect([foundation?.base, foundation?.items, told, guarded.over(base)]).toEqual([base, 2, [], undefined])
  expect(() => foundation?.read(0, 1)).toThrow(damage)
  expect(told).toEqual([damage])
})
