/** Epochs and their acknowledgements that somebody hands in again, the same bytes, at any time after. */
import { create } from '@bufbuild/protobuf'
import { type IngestOutcome, type ParsedIntention, toHex, toIntentionId } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { afterEach, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { removeDirectories } from './harness.ts'
import { createPruneHistory, type PruneHistory } from './prune-history.ts'
import { finishPrune, ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

/** All that a replay may not change. */
const lookOf = async (kernel: Kernel) => ({
  digest: kernel.digest(),
  state: toHex(await kernel.stateDigest()),
  epochs: kernel.epochs(),
  projection: kernel.projection(),
  tips: kernel.tips(),
  frontier: kernel.frontier(),
  excluded: kernel.excluded(10),
  base: kernel.base(),
})

/** Hands them in by each of these peers, in any order, at once and one by one: nothing comes of it. */
async function expectReplayed(
  kernel: Kernel,
  { peers }: Pick<PruneHistory, 'peers'>,
  again: readonly (readonly [ParsedIntention, IngestOutcome['kind']])[],
): Promise<void> {
  const before = await lookOf(kernel)
  const told: string[] = []
  const cancels = [
    // State at epochs is kept, and what is cut tidied up, in the background.
    kernel.onEvent(({ kind }) => void (/^(?:snapshot|prune)/u.test(kind) || told.push(kind))),
    kernel.onWitnessed(() => void told.push('witnessed')),
  ]
  const kindOf = new Map(again.map(([{ id }, kind]) => [toHex(id), kind]))
  const all = again.map(([one]) => one)
  for (const { publicKey } of peers) {
    for (const batch of [all, all.toReversed(), ...all.map((one) => [one])]) {
      const outcomes = await kernel.ingest(batch, publicKey)
      // What floats is known to float from then on.
      const first = outcomes.map(({ kind }, index) => (isFloating(kernel, batch[index]) ? 'floating' : kind))
      expect(first).toEqual(batch.map(({ id }) => kindOf.get(toHex(id))))
    }
  }
  expect(await lookOf(kernel)).toEqual(before)
  expect(told).toEqual([])
  for (const cancel of cancels) cancel()
}

function isFloating(kernel: Kernel, one: ParsedIntention | undefined): boolean {
  return kernel.floating(10).some(({ parsed }) => one !== undefined && toHex(parsed.id) === toHex(one.id))
}

const known = (...all: readonly ParsedIntention[]) => all.map((one) => [one, 'duplicate'] as const)

test('a replayed epoch, and a replayed acknowledgement, change nothing: at once, after later epochs, and after a cut', async () => {
  const history = createPruneHistory(21)
  const { kernel: whole } = await openPruning(history, { snapshots: false })
  const { kernel: pruned } = await openPruning(history)
  const [, ...others] = history.peers
  history.writes(20, [0, 1, 2])
  const epoch = history.epoch(0, { case: 'initial', value: create(weaver.InitialCauseSchema) }, others)
  const acks = others.map((_, index) => history.ack(index + 1, epoch, new Uint8Array()))
  for (const kernel of [whole, pruned]) {
    await ingest(kernel, history.all)
    expect(kernel.epoch(epoch.id)).toMatchObject({ fault: undefined, isSettled: true })
    await expectReplayed(kernel, history, known(epoch, ...acks))
  }
  history.writes(20)
  for (const kernel of [whole, pruned]) await ingest(kernel, history.all)
  history.sees(0, history.all)
  const cut = history.prune(0)
  await finishPrune(history, { whole, pruned }, { epoch: cut, early: [] })
  expect([whole.base()?.epoch, pruned.base()?.epoch]).toEqual([undefined, cut.id])
  const cutAcks = history.all.filter(({ op }) => op.kind === 'epochAck').slice(acks.length)
  const later = history.prune(0)
  for (const kernel of [whole, pruned]) await ingest(kernel, [later])
  await expectReplayed(whole, history, known(epoch, ...acks, cut, ...cutAcks, later))
  // What the cut took is known for gone by what it follows. Where that is gone as well it floats, for ever, within bounds.
  const gone = acks.map((ack) => [ack, isGone(pruned, ack) ? 'floating' : 'duplicate'] as const)
  expect(gone.map(([, kind]) => kind)).toEqual(['floating', 'floating', 'duplicate'])
  for (const { id } of acks) expect(pruned.get(id)).toBeUndefined()
  await expectReplayed(pruned, history, [...known(epoch, cut, ...cutAcks, later), ...gone])
  for (const kernel of [whole, pruned]) await kernel.close()
})

/** Whether what it follows is gone. */
function isGone(kernel: Kernel, { intention }: ParsedIntention): boolean {
  return kernel.get(toIntentionId(intention.storePrev)) === undefined
}
