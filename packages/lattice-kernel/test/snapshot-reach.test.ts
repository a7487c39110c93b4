/** State at an epoch that cannot be made of what is kept: nobody waits for it, and nothing is tried again and again. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { equalBytes, type IntentionId, type ParsedIntention, toHex } from '@lattice/model'
import type { EpochStatus, Kernel } from '../src/index.ts'
import { createMesh, type Node, openThree } from './epoch-nodes.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { catchUp, isFinalAt, makeStore, openMade, openScene, until } from './foundation-scene.ts'
import { removeDirectories } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

describe('a pruned store', () => {
  test('that was fetched at a later epoch than is settled here goes on from there alone', async () => {
    const { mesh, nodes } = await openScene('prune')
    const [a] = nodes
    await until(mesh, () => nodes.every(({ kernel }) => kernel.base() !== undefined))
    await mesh.run(a.kernel.submit(appOp('set k1 later')))
    const epoch = await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    await until(mesh, () => nodes.every((node) => isFinalAt(node, epoch)))
    const scene = { mesh, nodes, epoch }
    const warnings: string[] = []
    const logger = { ...console, warn: (text: string) => void warnings.push(text) }
    const made = await openMade(scene, await makeStore(scene), { logger })
    await mesh.scheduler.advanceAsync(20_000)
    expect(made.kernel.snapshot().failure).toBeUndefined()
    expect(warnings).toEqual([])
    await catchUp(scene, a.kernel, made.kernel)
    expect(made.kernel.snapshot()).toMatchObject({ state: 'ready', settled: { epoch } })
    for (const { kernel } of [...nodes, made]) await mesh.run(kernel.close())
  })

  test('whose newest snapshot is of an epoch that a senior has voided goes on from the one at its base', async () => {
    const { mesh, nodes, senior, meet } = await removedByJunior()
    const [a, b] = nodes
    meet()
    expect(b.kernel.snapshot().base?.epoch).toEqual(b.kernel.base()?.epoch)
    await mesh.run(b.kernel.ingest(written(a.kernel), undefined))
    await mesh.run(a.kernel.ingest(written(b.kernel), undefined))
    await until(mesh, () => isFinalAt(a, senior) && isFinalAt(b, senior))
    expect(statusOf(a, senior)?.roots).toHaveLength(2)
    expect(b.kernel.snapshot().settled?.root).toEqual(a.kernel.snapshot().settled?.root)
    expect(await mesh.run(b.kernel.stateDigest())).toEqual(await mesh.run(a.kernel.stateDigest()))
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })

  test('and without that one acknowledges the senior without a root', async () => {
    const { mesh, nodes, senior, junior } = await removedByJunior()
    const [a, b, c] = nodes
    await mesh.run(b.kernel.close())
    rmSync(join(b.directory, 'snapshot.base.db'))
    const again = await mesh.open(b.signer, { directory: b.directory, snapshots: true })
    await mesh.run(again.kernel.ingest(written(a.kernel), undefined))
    await until(mesh, () => statusOf(again, senior)?.isSettled === true)
    expect(toHex(again.kernel.snapshot().settled?.epoch ?? senior)).toBe(toHex(junior))
    // What it has is not on the way there, so it vouches for nothing.
    expect(statusOf(again, senior)?.roots.map(({ author }) => toHex(author))).toEqual([])
    expect(await mesh.run(again.kernel.stateDigest())).toEqual(await mesh.run(a.kernel.stateDigest()))
    for (const { kernel } of [a, again, c]) await mesh.run(kernel.close())
  })
})

/** Nodes that have pruned. Then the third removes the first, which the second acknowledges; and the first the third. */
async function removedByJunior() {
  const mesh = createMesh()
  const nodes = await openThree(mesh, { snapshots: true })
  const [a, b, c] = nodes
  let isApart = false
  for (const { kernel } of nodes) {
    for (const other of nodes) {
      const isCut = (): boolean => isApart && (kernel === a.kernel) !== (other.kernel === a.kernel)
      kernel.onWitnessed(({ intentions }) => {
        if (other.kernel !== kernel && !isCut()) other.kernel.ingest(intentions, undefined).catch(() => {})
      })
    }
  }
  for (const { kernel } of [b, c]) await mesh.run(kernel.ingest(written(a.kernel), undefined))
  await mesh.run(a.kernel.submitEpoch({ kind: 'prune' }))
  await until(mesh, () => nodes.every(({ kernel }) => kernel.base() !== undefined && kernel.pruning().state === 'idle'))
  isApart = true
  const removal = ({ signer }: Node) => [{ peer: signer.publicKey, remains: 'none' as const }]
  const junior = await mesh.run(c.kernel.submitEpoch({ kind: 'membership', removals: removal(a) }))
  await until(mesh, () => isFinalAt(b, junior))
  const senior = await mesh.run(a.kernel.submitEpoch({ kind: 'membership', removals: removal(c) }))
  return { mesh, nodes, junior, senior, meet: () => void (isApart = false) }
}

function statusOf({ kernel }: Node, epoch: IntentionId): EpochStatus | undefined {
  return kernel.epochs().find(({ id }) => equalBytes(id, epoch))
}

/** What follows where the log begins. */
function written(kernel: Kernel): readonly ParsedIntention[] {
  return kernel.scanWitness(kernel.base()?.fromSeq ?? 1, 1000).map(({ parsed }) => parsed)
}
