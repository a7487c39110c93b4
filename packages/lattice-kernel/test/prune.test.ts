/** A log that prunes itself. */
import { afterEach, describe, expect, test } from 'vitest'
import type { KernelEvent } from '../src/index.ts'
import { createMesh, creator } from './epoch-nodes.ts'
import { removeDirectories } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

describe('a prune', () => {
  test('leaves what is live, and the log goes on', async () => {
    const mesh = createMesh()
    const node = await mesh.open(creator, { snapshots: true })
    const { kernel } = node
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    const writes = Array.from({ length: 5000 }, (_, n) => ({ op: appOp(`set key-${n % 10} ${n}`) }))
    await mesh.run(kernel.submitMany(writes))
    const before = await mesh.run(kernel.stateDigest())
    const epoch = await mesh.run(kernel.submitEpoch({ kind: 'prune' }))
    while (!events.some(({ kind }) => kind === 'pruned')) {
      await mesh.scheduler.advanceAsync(1000)
    }
    expect(kernel.base()).toMatchObject({ epoch, fromSeq: 5002 })
    await mesh.run(kernel.submit(appOp('set key-1 again')))
    expect(kernel.scanWitness(5002, 100).map(({ parsed }) => parsed.op.kind)).toEqual(['epoch', 'epochAck', 'appData'])
    await mesh.run(kernel.close())
    void before
  })
})
