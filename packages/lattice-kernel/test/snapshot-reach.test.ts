/** State at an epoch that cannot be made of what is kept: nobody waits for it, and nothing is tried again and again. */
import { equalBytes, type ParsedIntention, toHex } from '@lattice/model'
import type { Kernel } from '../src/index.ts'
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

  test('whose newest snapshot is of an epoch that a senior has voided acknowledges the senior', async () => {
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
    const base = await mesh.run(a.kernel.submitEpoch({ kind: 'prune' }))
    await until(mesh, () =>
      nodes.every(({ kernel }) => kernel.base() !== undefined && kernel.pruning().state === 'idle'),
    )
    isApart = true
    const removal = ({ signer }: Node) => [{ peer: signer.publicKey, remains: 'none' as const }]
    const junior = await mesh.run(c.kernel.submitEpoch({ kind: 'membership', removals: removal(a) }))
    await until(mesh, () => isFinalAt(b, junior))
    const senior = await mesh.run(a.kernel.submitEpoch({ kind: 'membership', removals: removal(c) }))
    isApart = false
    await mesh.run(b.kernel.ingest(written(a.kernel), undefined))
    await mesh.run(a.kernel.ingest(written(b.kernel), undefined))
    await mesh.scheduler.advanceAsync(60_000)
    expect(toHex(b.kernel.snapshot().settled?.epoch ?? base)).toBe(toHex(junior))
    const status = a.kernel.epochs().find(({ id }) => equalBytes(id, senior))
    expect(status).toMatchObject({ isSettled: true, waitingFor: [] })
    // What it has is not on the way there, so it vouches for nothing.
    expect(status?.roots.map(({ author }) => toHex(author))).toEqual([toHex(a.signer.publicKey)])
    expect(await mesh.run(b.kernel.stateDigest())).toEqual(await mesh.run(a.kernel.stateDigest()))
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })
})

/** What follows where the log begins. */
function written(kernel: Kernel): readonly ParsedIntention[] {
  return kernel.scanWitness(kernel.base()?.fromSeq ?? 1, 1000).map(({ parsed }) => parsed)
}
