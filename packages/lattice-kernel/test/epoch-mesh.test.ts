/** What kernels do by themselves about epochs: acknowledge them, settle them, join them. */
import { type Hash, toHash, toHex } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import { EPOCH_ACK_DELAY_MS, JOIN_DEADLINE_MS, JOIN_DELAY_MS, type KernelEvent } from '../src/index.ts'
import { byKey, createMesh, creator, hex, kindsOf, openThree, others, type Mesh, type Node } from './epoch-nodes.ts'
import { removeDirectories } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

describe('an epoch', () => {
  test('is acknowledged once by each it names, settles, and is followed by silence, also after opening again', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh)
    const events: KernelEvent[] = []
    nodes[1].kernel.onEvent((event) => events.push(event))
    await mesh.connect(nodes)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    const [{ kernel }] = nodes
    const [epoch] = kernel.epochs()
    expect(epoch).toMatchObject({ isSettled: true, isFinal: false, roots: [] })
    for (const { publicKey } of others) {
      const [ack, ...more] = kindsOf(kernel, 'epochAck', publicKey)
      expect(more).toEqual([])
      expect(hex(ack?.intention.causalDeps ?? [])).toEqual(hex(epoch ? [epoch.id] : []))
    }
    expect(kindsOf(kernel, 'epochAck', creator.publicKey)).toEqual([])
    await mesh.scheduler.advanceAsync(1_000_000)
    expect(kindsOf(kernel, 'epochAck')).toHaveLength(2)
    expect(kindsOf(kernel, 'ack')).toEqual([])
    expect(new Set(nodes.map((node) => toHex(node.kernel.digest().fingerprint))).size).toBe(1)
    expect(nodes.map((node) => node.kernel.digest().settledSeq)).toEqual([1, 1, 1])
    expect(events.filter(({ kind }) => kind === 'epoch_settled')).toHaveLength(1)
    for (const node of nodes) await mesh.run(node.kernel.close())
    const again = await mesh.open(nodes[1].signer, nodes[1].options)
    await mesh.scheduler.advanceAsync(1_000_000)
    expect(kindsOf(again.kernel, 'epochAck')).toHaveLength(2)
    await mesh.run(again.kernel.close())
  })

  test('that was to be acknowledged when the node ended is after it opens again', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh)
    await mesh.connect(nodes)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS - 1)
    const [, node] = nodes
    await mesh.run(node.kernel.close())
    const again = await mesh.open(node.signer, node.options)
    expect(kindsOf(again.kernel, 'epochAck', node.signer.publicKey)).toEqual([])
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    expect(kindsOf(again.kernel, 'epochAck', node.signer.publicKey)).toHaveLength(1)
    for (const { kernel } of [again, nodes[0], nodes[2]]) await mesh.run(kernel.close())
  })

  test('is not acknowledged before its state is here', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh)
    const [a, b] = nodes
    await mesh.run(a.kernel.submit(appOp('throw')))
    await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    b.projector.faults.throwing = true
    await mesh.connect([a, b])
    await mesh.scheduler.advanceAsync(1_000_000)
    const [epoch] = b.kernel.epochs()
    expect(epoch).toMatchObject({ seq: 1n })
    const acksOf = () =>
      kindsOf(b.kernel, 'epochAck', b.signer.publicKey).map(({ op }) => op.kind === 'epochAck' && toHex(op.value.epoch))
    expect(acksOf()).not.toContain(epoch && toHex(epoch.id))
    b.projector.faults.throwing = false
    await mesh.run(b.kernel.retry())
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    expect(acksOf()).toContain(epoch && toHex(epoch.id))
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })

  test('is final once its author and those it names signed the same root', async () => {
    const mesh = createMesh()
    const root: Hash = toHash(new Uint8Array(32).fill(7))
    const nodes = await openThree(mesh, { rootOf: async () => Promise.resolve(root) })
    await mesh.connect(nodes)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    const [epoch] = nodes[2].kernel.epochs()
    expect(epoch).toMatchObject({ isSettled: true, isFinal: true, isDiverged: false })
    expect(epoch?.roots).toHaveLength(3)
    await mesh.scheduler.advanceAsync(1_000_000)
    expect(kindsOf(nodes[0].kernel, 'epochAck')).toHaveLength(3)
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })
})

describe('concurrent epochs', () => {
  /** Three nodes that saw the first epoch, the last two of which then made one each. */
  async function openForked(mesh: Mesh): Promise<readonly [Node, Node, Node]> {
    const nodes = await openThree(mesh)
    const [a, b, c] = nodes
    const history = a.kernel.scanWitness(1, 100).map(({ parsed }) => parsed)
    for (const { kernel } of [b, c]) {
      await mesh.run(kernel.ingest(history, undefined))
      await mesh.run(kernel.submitEpoch({ kind: 'initial' }))
    }
    return nodes
  }

  test('are joined once, by the first in the order of keys, and only the join is acknowledged', async () => {
    const mesh = createMesh()
    const nodes = await openForked(mesh)
    await mesh.connect(nodes)
    expect(nodes.map(({ kernel }) => kernel.digest().epochHeads.length)).toEqual([2, 2, 2])
    const before = kindsOf(nodes[0].kernel, 'epochAck').length
    await mesh.scheduler.advanceAsync(JOIN_DELAY_MS - 1)
    expect(kindsOf(nodes[0].kernel, 'epochAck')).toHaveLength(before)
    await mesh.scheduler.advanceAsync(1)
    const [join] = nodes[0].kernel.epochs()
    expect(join).toMatchObject({ seq: 2n, cause: { kind: 'join_of_epochs' }, fault: undefined, isHead: true })
    expect(join && toHex(join.author)).toBe(toHex(byKey[0]?.publicKey ?? new Uint8Array()))
    await mesh.scheduler.advanceAsync(1_000_000)
    const joins = nodes[0].kernel.epochs().filter(({ cause }) => cause.kind === 'join_of_epochs')
    expect(joins).toHaveLength(1)
    const acked = kindsOf(nodes[0].kernel, 'epochAck').slice(before)
    expect(acked.map(({ op }) => op.kind === 'epochAck' && toHex(op.value.epoch))).toEqual([
      join && toHex(join.id),
      join && toHex(join.id),
    ])
    // Whoever saw the join saw them all.
    expect(nodes.map(({ kernel }) => kernel.epochs().map(({ isSettled }) => isSettled))).toEqual(
      nodes.map(() => [true, true, true, true]),
    )
    expect(new Set(nodes.map(({ kernel }) => JSON.stringify(hex(kernel.digest().epochHeads)))).size).toBe(1)
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })

  test('are joined by the next where the first is away, a deadline later', async () => {
    const mesh = createMesh()
    const nodes = await openForked(mesh)
    const present = nodes.filter(({ signer }) => signer !== byKey[0])
    const away = nodes.find(({ signer }) => signer === byKey[0])
    if (away === undefined) throw new Error('one is away')
    // What it made is known to the others, and it goes.
    const history = away.kernel.scanWitness(1, 100).map(({ parsed }) => parsed)
    await mesh.run(away.kernel.close())
    for (const { kernel } of present) await mesh.run(kernel.ingest(history, undefined))
    await mesh.connect(present)
    await mesh.scheduler.advanceAsync(JOIN_DEADLINE_MS + JOIN_DELAY_MS - 1)
    const joins = () => present[0]?.kernel.epochs().filter(({ cause }) => cause.kind === 'join_of_epochs') ?? []
    expect(joins()).toEqual([])
    await mesh.scheduler.advanceAsync(1)
    expect(joins().map(({ author }) => toHex(author))).toEqual([toHex(byKey[1]?.publicKey ?? new Uint8Array())])
    await mesh.scheduler.advanceAsync(1_000_000)
    expect(joins()).toHaveLength(1)
    for (const { kernel } of present) await mesh.run(kernel.close())
  })

  test('are joined after opening again where the node ended before', async () => {
    const mesh = createMesh()
    const nodes = await openForked(mesh)
    await mesh.connect(nodes)
    const first = nodes.find(({ signer }) => signer === byKey[0])
    if (first === undefined) throw new Error('there is one')
    for (const { kernel } of nodes) await mesh.run(kernel.close())
    const { kernel } = await mesh.open(first.signer, first.options)
    expect(kernel.digest().epochHeads).toHaveLength(2)
    await mesh.scheduler.advanceAsync(JOIN_DELAY_MS)
    expect(kernel.digest().epochHeads).toHaveLength(1)
    await mesh.run(kernel.close())
  })
})
