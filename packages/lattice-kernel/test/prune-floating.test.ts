/** What waits while the log is cut: a cause that was met may be gone. */
import { toHex } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { afterEach, expect, test } from 'vitest'
import { at, removeDirectories, turnScheduler, write } from './harness.ts'
import { createPruneHistory } from './prune-history.ts'
import { finishPrune, ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

const AHEAD_MS = 120_000

test('what waits for its time, or for another cause, waits for a cause that a cut takes', async () => {
  const manual = createManualScheduler()
  const { clock } = manual
  clock.setWallMs(at(1000).wall)
  const scheduler = { ...manual, soon: turnScheduler.soon }
  const history = createPruneHistory(23)
  const { kernel } = await openPruning(history, { clock, scheduler })
  const { kernel: whole } = await openPruning(history, { clock, scheduler, snapshots: false })
  const first = history.write(1, [history.genesis])
  const second = history.write(1, [first])
  const last = history.write(1, [second])
  const own = history.write(2, [history.genesis])
  for (const each of [kernel, whole]) await ingest(each, history.all)

  const [, , signer, third] = history.peers
  if (signer === undefined || third === undefined) throw new Error('there are four')
  const late = write(third, { prev: history.genesis.id, at: at(500) })
  const prev = own.id
  const early = write(signer, { prev, deps: [first.id], at: at(AHEAD_MS) })
  const kept = write(signer, { prev, deps: [last.id], at: at(AHEAD_MS, 1) })
  const waiting = write(signer, { prev, deps: [first.id, late.id], at: at(AHEAD_MS - 60_000) })
  const outcomes = await kernel.ingest([early, kept, waiting], undefined)
  expect(outcomes.map((outcome) => 'reason' in outcome && outcome.reason)).toEqual([
    'future',
    'future',
    'missing_causes',
  ])
  history.sees(0, [last, own])
  await finishPrune(history, { pruned: kernel, whole }, { epoch: history.prune(0), early: [] })
  expect([first, last].map(({ id }) => kernel.has(id))).toEqual([false, false])
  await ingest(kernel, [late])

  const seen = kernel.waitFor(kept.id)
  manual.advance(AHEAD_MS)
  await seen
  expect(
    kernel.floating(10).map(({ parsed, reason, missing }) => [toHex(parsed.id), reason, missing.map(toHex)]),
  ).toEqual([early, waiting].map(({ id }) => [toHex(id), 'missing_causes', [toHex(first.id)]]))
  for (const each of [kernel, whole]) await each.close()
})
