/** What had an effect below a cut has it for ever: state goes on from there, whatever turns out since. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { equalBytes, type IntentionId } from '@lattice/model'
import type { MembershipPolicy, MembershipView } from '@lattice/store-base'
import { afterEach, expect, test } from 'vitest'
import { createMesh, type Mesh, type Node, openThree } from './epoch-nodes.ts'
import { until } from './foundation-scene.ts'
import { removeDirectories } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

/** As of a store that follows another one, by which some of its epochs turn out void. */
function policyBelow(voided: readonly IntentionId[], isOfPast: boolean): MembershipPolicy {
  const policy = createModelPolicy()
  const resolve = (history: Parameters<MembershipPolicy['resolve']>[0]): MembershipView => {
    const view = policy.resolve(history)
    const isVoid = (id: IntentionId): boolean => voided.some((other) => equalBytes(other, id))
    return { ...view, faultOf: (id) => view.faultOf(id) ?? (isVoid(id) ? 'parent_void' : undefined) }
  }
  return { ...policy, resolve, resolvePast: isOfPast ? resolve : policy.resolve }
}

/** Two nodes that have removed a third, which may turn out void; `isOfPast`: by what the epochs that follow have seen, too. */
async function removed({ isOfPast }: { readonly isOfPast: boolean }) {
  const voided: IntentionId[] = []
  const options = { snapshots: true, membership: policyBelow(voided, isOfPast) }
  const mesh = createMesh()
  const nodes = await openThree(mesh, options)
  const [a, b, c] = nodes
  await mesh.connect(nodes)
  const removals = [{ peer: c.signer.publicKey, remains: 'none' as const }]
  const removal = await mesh.run(a.kernel.submitEpoch({ kind: 'membership', removals }))
  await mesh.run(a.kernel.submit(appOp('set k1 1')))
  const turn = async (fault: 'parent_void' | undefined): Promise<void> => {
    voided.splice(0, 1, ...(fault === undefined ? [] : [removal]))
    for (const { kernel } of [a, b]) {
      await mesh.run(kernel.recheckFloating())
      expect(kernel.epochs().find(({ id }) => equalBytes(id, removal))?.fault).toBe(fault)
    }
  }
  /** Opened anew, with state made anew of what is kept. */
  const again = async (node: Node): Promise<Node> => {
    await mesh.run(node.kernel.close())
    for (const end of ['', '-wal', '-shm']) rmSync(join(node.directory, `state.db${end}`), { force: true })
    const made = await mesh.open(node.signer, { ...options, directory: node.directory })
    const other = node === a ? b : a
    made.kernel.onWitnessed(({ intentions }) => void other.kernel.ingest(intentions, undefined).catch(() => {}))
    other.kernel.onWitnessed(({ intentions }) => void made.kernel.ingest(intentions, undefined).catch(() => {}))
    await until(mesh, () => made.kernel.projection().appliedSeq === made.kernel.projection().headSeq)
    return made
  }
  return { mesh, a, b, c, again, turnVoid: async () => turn('parent_void'), turnBack: async () => turn(undefined) }
}

async function cut(mesh: Mesh, nodes: readonly Node[]): Promise<IntentionId> {
  const epoch = await mesh.run(nodes[0]?.kernel.submitEpoch({ kind: 'prune' }) ?? Promise.reject(new Error('nobody')))
  const isCut = ({ kernel }: Node): boolean =>
    equalBytes(kernel.base()?.epoch ?? new Uint8Array(0), epoch) && kernel.pruning().state === 'idle'
  await until(mesh, () => nodes.every(isCut))
  return epoch
}

test('an epoch that turns out void once history is cut above it leaves state as it is, over later cuts too', async () => {
  const { mesh, a, b, c, again, turnVoid } = await removed({ isOfPast: false })
  const told: string[] = []
  for (const { kernel } of [a, b]) kernel.onEvent(({ kind }) => void told.push(kind))
  await cut(mesh, [a, b])
  const state = await mesh.run(a.kernel.stateDigest())
  await turnVoid()
  for (const { kernel } of [a, b]) expect(await mesh.run(kernel.stateDigest())).toEqual(state)
  await mesh.run(b.kernel.submit(appOp('set k1 2')))
  for (let cuts = 0; cuts < 2; cuts += 1) {
    const epoch = await cut(mesh, [a, b])
    const status = a.kernel.epochs().find(({ id }) => equalBytes(id, epoch))
    expect(status).toMatchObject({ isUpheld: true, isFinal: true, isDiverged: false })
  }
  expect(told).not.toContain('stalled')
  const later = await mesh.run(a.kernel.stateDigest())
  const made = await again(a)
  expect(await mesh.run(made.kernel.stateDigest())).toEqual(later)
  expect((await mesh.run(made.kernel.verify())).outcome).toBe('sound')
  for (const { kernel } of [made, b, c]) await mesh.run(kernel.close())
})

test('one that was void before history was cut has no effect, also where it turns out to have one', async () => {
  const { mesh, a, b, c, again, turnVoid, turnBack } = await removed({ isOfPast: true })
  await turnVoid()
  await cut(mesh, [a, b])
  const state = await mesh.run(a.kernel.stateDigest())
  await turnBack()
  const made = await again(a)
  expect(await mesh.run(made.kernel.stateDigest())).toEqual(state)
  await cut(mesh, [b, made])
  expect((await mesh.run(made.kernel.verify())).outcome).toBe('sound')
  for (const { kernel } of [made, b, c]) await mesh.run(kernel.close())
})
