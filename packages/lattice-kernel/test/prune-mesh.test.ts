/** Nodes that prune together: by epochs that were made at the same time, with revocations, and what they write after. */
import { fromHex, toHex, toIntentionId } from '@lattice/model'
import { system } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import { EPOCH_ACK_DELAY_MS, JOIN_DELAY_MS, type Kernel } from '../src/index.ts'
import { createMesh, type Mesh, type Node, openThree } from './epoch-nodes.ts'
import { removeDirectories, signerOf } from './harness.ts'
import { admitOp } from './model-policy.ts'
import { appOp, headsOf } from './tracking-projector.ts'

afterEach(removeDirectories)

async function until(mesh: Mesh, holds: () => boolean): Promise<void> {
  while (!holds()) await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
}

async function closeAll(mesh: Mesh, nodes: readonly { readonly kernel: Kernel }[]): Promise<void> {
  for (const { kernel } of nodes) await mesh.run(kernel.close())
}

const baseOf = ({ kernel }: Node): string | undefined => {
  const base = kernel.base()
  return base && toHex(base.epoch)
}
const isDone = (node: Node, epoch: Uint8Array): boolean =>
  baseOf(node) === toHex(epoch) && node.kernel.pruning().state === 'idle'

async function expectAllSame(mesh: Mesh, nodes: readonly Node[]): Promise<void> {
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('there is none')
  const digestOf = async ({ kernel }: Node) => ({
    state: toHex(await mesh.run(kernel.stateDigest())),
    ...kernel.digest(),
  })
  const expected = await digestOf(first)
  for (const node of others) expect(await digestOf(node)).toEqual(expected)
  for (const node of nodes) {
    await mesh.run(node.kernel.rebuild())
    expect(await digestOf(node)).toEqual(expected)
    expect((await mesh.run(node.kernel.verify())).problems).toEqual([])
  }
}

/** Writes of heads by every node, each in the place of those it sees. */
async function put(mesh: Mesh, nodes: readonly Node[], value: string): Promise<void> {
  for (const { kernel } of nodes) {
    for (const key of ['a', 'b', 'c']) {
      await mesh.run(
        kernel.submit(appOp(`put ${key} ${value}`), {
          deps: ({ app }) => headsOf(app, key).map((id) => toIntentionId(fromHex(id) ?? new Uint8Array(32))),
        }),
      )
    }
  }
}

describe('nodes', () => {
  test('prune below the same epoch, write on over what is gone, and prune again', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    const [a, b] = nodes
    await mesh.connect(nodes)
    await put(mesh, nodes, 'first')
    const first = await mesh.run(a.kernel.submitEpoch({ kind: 'prune' }))
    await until(mesh, () => nodes.every((node) => isDone(node, first)))
    await put(mesh, nodes, 'second')
    await mesh.scheduler.advanceAsync(1000)
    await expectAllSame(mesh, nodes)
    for (const { kernel } of nodes) expect(headsOf(kernel.tables().app, 'a')).toHaveLength(1)
    const second = await mesh.run(b.kernel.submitEpoch({ kind: 'prune' }))
    // All write on while it is pruned.
    for (let n = 0; !nodes.every((node) => isDone(node, second)); n += 1) {
      await put(mesh, nodes, `meanwhile-${n}`)
      await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    }
    await put(mesh, nodes, 'third')
    await mesh.scheduler.advanceAsync(1000)
    await expectAllSame(mesh, nodes)
    await closeAll(mesh, nodes)
  })

  test('prune below one of two epochs that were made at the same time, once they are joined', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    const [a, b, c] = nodes
    await mesh.connect(nodes)
    await until(mesh, () => nodes.every(({ kernel }) => kernel.epochs()[0]?.isFinal === true))
    await put(mesh, nodes, 'first')
    // Both before either hears of the other's.
    const made = await mesh.run(
      Promise.all([a.kernel.submitEpoch({ kind: 'prune' }), b.kernel.submitEpoch({ kind: 'prune' })]),
    )
    await mesh.scheduler.advanceAsync(JOIN_DELAY_MS)
    await until(mesh, () => nodes.every(({ kernel }) => kernel.base() !== undefined))
    const bases = nodes.map(baseOf)
    expect(new Set(bases).size).toBe(1)
    const [expected] = made.map(toHex).toSorted()
    expect(bases[0]).toBe(expected)
    expect(c.kernel.epochs()[0]).toMatchObject({ cause: { kind: 'join_of_epochs' }, isFinal: true })
    await until(mesh, () => nodes.every(({ kernel }) => kernel.pruning().state === 'idle'))
    await put(mesh, nodes, 'second')
    await mesh.scheduler.advanceAsync(1000)
    await expectAllSame(mesh, nodes)
    await closeAll(mesh, nodes)
  })

  test('prune after a peer was removed, and remove one after they have pruned', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    const [a, b, c] = nodes
    await mesh.connect(nodes)
    const dora = await mesh.open(signerOf(4), { snapshots: true })
    await mesh.run(a.kernel.submit(admitOp(dora.signer.publicKey, system.Role.WRITER)))
    await mesh.connect([a, dora])
    await put(mesh, [...nodes, dora], 'first')
    await mesh.scheduler.advanceAsync(1000)
    const removal = (node: Node) => [{ peer: node.signer.publicKey, remains: 'none' as const }]
    await mesh.run(a.kernel.submitEpoch({ kind: 'membership', removals: removal(dora) }))
    await put(mesh, nodes, 'second')
    const base = await mesh.run(a.kernel.submitEpoch({ kind: 'prune' }))
    await until(mesh, () => nodes.every((node) => isDone(node, base)))
    await put(mesh, nodes, 'third')
    await expectAllSame(mesh, nodes)
    await mesh.run(a.kernel.submitEpoch({ kind: 'membership', removals: removal(c) }))
    await mesh.scheduler.advanceAsync(1000)
    await put(mesh, [a, b], 'fourth')
    await mesh.scheduler.advanceAsync(1000)
    await expectAllSame(mesh, [a, b])
    await expect(mesh.run(c.kernel.submit(appOp('put a late')))).rejects.toMatchObject({ code: 'REVOKED' })
    await closeAll(mesh, [...nodes, dora])
  })
})
