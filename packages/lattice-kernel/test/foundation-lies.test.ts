/** What cannot be proved of a foundation may be wrong: then answers are, and nothing breaks. */
import { create } from '@bufbuild/protobuf'
import { compareBytes, toIntentionId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { createFoundationWriter, type FoundationItem, type KernelEvent } from '../src/index.ts'
import { crypto, removeDirectories, signerOf, START_MS, temporaryDirectory } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { createPruneHistory, expectedSet } from './prune-history.ts'
import { ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

type Anchor = Extract<FoundationItem, { kind: 'anchor' }>
type Random = ReturnType<typeof createSeededRandom>

/** Another place, past, time or id. */
function lieAbout(anchor: Anchor, other: Anchor, random: Random): Anchor {
  const { place } = anchor
  const step = random.below(5) - 2
  switch (random.below(7)) {
    case 0:
      return { ...anchor, place: { ...place, generation: Math.max(0, place.generation + step) } }
    case 1:
      return { ...anchor, place: { ...place, position: Math.max(0, place.position + step) } }
    case 2:
      return { ...anchor, place: { ...place, vector: place.vector.filter(() => random.below(2) === 0) } }
    case 3:
      return { ...anchor, id: toIntentionId(crypto.blake3(anchor.id)) }
    case 4:
      return { ...anchor, folded: [other.id] }
    case 5:
      return { ...anchor, timestamp: { wall: Math.max(0, anchor.timestamp.wall + step), counter: random.below(3) } }
    default:
      return {
        ...anchor,
        place: { ...place, vector: place.vector.map(([lane, at]) => [lane, Math.max(0, at + random.below(3) - 1)]) },
      }
  }
}

test('a log over a foundation with lies about what is gone takes in what it can, and stays in order', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const history = createPruneHistory(seed)
      const random = createSeededRandom(seed)
      const { kernel: whole } = await openPruning(history, { snapshots: false })
      history.writes(20)
      const others = history.peers.filter((_, n) => n !== 1)
      const epoch = history.epoch(1, { case: 'initial', value: create(weaver.InitialCauseSchema) }, others)
      history.writes(8, [0, 2])
      await ingest(whole, history.all)
      const tail = expectedSet(history, epoch)
      const root = new Uint8Array(32).fill(5)
      const acks = history.peers.flatMap(({ publicKey }, n): readonly FoundationItem[] =>
        compareBytes(publicKey, epoch.intention.author) === 0
          ? []
          : [{ kind: 'ack', ack: history.ack(n, epoch, root) }],
      )
      const items = [...(whole.foundation(epoch.id)?.read(0, 1e9) ?? []), ...acks]
      const anchors = items.filter((item): item is Anchor => item.kind === 'anchor')
      for (let round = 0; round < 4; round += 1) {
        const [one, other] = [anchors[random.below(anchors.length)], anchors[random.below(anchors.length)]]
        if (one === undefined || other === undefined) continue
        const lie = lieAbout(one, other, random)
        const directory = temporaryDirectory()
        const about = {
          directory,
          storeId: history.storeId,
          crypto,
          signer: signerOf(9),
          membership: createModelPolicy(),
        }
        const writer = createFoundationWriter({ ...about, clock: { wallMs: () => START_MS } })
        const isTaken = writer.add(items.map((item) => (item === one ? lie : item))).ok && writer.finish().ok
        writer.close()
        if (!isTaken) continue
        accepted += 1
        const made = await openPruning(history, { directory, snapshots: false })
        const events: KernelEvent[] = []
        made.kernel.onEvent((event) => events.push(event))
        await made.kernel.ingest(tail, undefined)
        expect(events.filter(({ kind }) => kind === 'failed')).toEqual([])
        made.kernel.tips()
        made.kernel.digest()
        made.kernel.observations()
        made.kernel.foundation()?.read(0, 1e9)
        await made.kernel.close()
        const again = await openPruning(history, { directory, snapshots: false })
        await again.kernel.close()
      }
      await whole.close()
    }),
    { numRuns: Number(process.env['LATTICE_PRUNE_RUNS'] ?? 4), endOnFailure: true },
  )
  expect(accepted).toBeGreaterThan(0)
})
