/** A cut that would leave more places of what is gone than whoever begins there takes. */
import { toHex } from '@lattice/model'
import { afterEach, expect, test } from 'vitest'
import { removeDirectories } from './harness.ts'
import { createPruneHistory } from './prune-history.ts'
import { finishPrune, ingest, openPruning, until } from './prune-pair.ts'

afterEach(removeDirectories)

test('a cut beside which too much builds on what would be gone is not made; a later one, with that below it, is', async () => {
  const history = createPruneHistory(5)
  const { kernel: whole } = await openPruning(history, { snapshots: false })
  const { kernel: pruned } = await openPruning(history, { cutPlacesMax: 40 })
  const older = history.writes(60)
  for (const kernel of [whole, pruned]) await ingest(kernel, history.all)
  for (const by of [0, 2]) history.sees(by, older)
  const wide = history.prune(0)
  // By one who does not know of the epoch yet.
  const beside = older.slice(0, 50).map((each) => history.write(2, [each]))
  for (const kernel of [whole, pruned]) await ingest(kernel, beside)
  const made = until(pruned, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(wide.id))
  for (const kernel of [whole, pruned]) await ingest(kernel, [wide])
  await made
  const root = pruned.snapshot().candidate?.root ?? new Uint8Array()
  const acks = [1, 2, 3].map((by) => history.ack(by, wide, root))
  for (const kernel of [whole, pruned]) await ingest(kernel, acks)
  while (pruned.pruning().waitsFor !== 'beside') await new Promise<void>((resolve) => void setImmediate(resolve))
  expect(pruned.epoch(wide.id)).toMatchObject({ isFinal: true })
  expect(pruned.base()).toBeUndefined()

  for (const by of history.active()) history.sees(by, history.all)
  const later = history.prune(0)
  await finishPrune(history, { pruned, whole }, { epoch: later, early: [] })
  expect(toHex(pruned.base()?.epoch ?? new Uint8Array())).toBe(toHex(later.id))
  for (const kernel of [whole, pruned]) await kernel.close()
})
