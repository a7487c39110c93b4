/**
 * Nodes that share a final epoch, and what they hand to one that is to begin with it.
 *
 * @module
 */
import { type IntentionId, type Signer, toHex } from '@lattice/model'
import type { RowPosition } from '@lattice/storage'
import {
  EPOCH_ACK_DELAY_MS,
  type FoundationItem,
  type Kernel,
  type KernelOptions,
  openPrunedStore,
  type PrunedStoreOptions,
  type PrunedStoreWriter,
} from '../src/index.ts'
import { createMesh, type Mesh, type Node, openThree } from './epoch-nodes.ts'
import { crypto, signerOf, temporaryDirectory } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

export const newcomer: Signer = signerOf(7)

export interface Scene {
  readonly mesh: Mesh
  readonly nodes: readonly [Node, Node, Node]
  /** Final, with state kept at it, by all. */
  readonly epoch: IntentionId
}

/** Lets time pass until a condition holds; the test ends by its own time where it never does. */
export async function until(mesh: Mesh, holds: () => boolean): Promise<void> {
  while (!holds()) await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
}

export function isFinalAt({ kernel }: Node, epoch: IntentionId): boolean {
  const at = kernel.snapshot().settled?.epoch
  const status = kernel.epochs().find(({ id }) => toHex(id) === toHex(epoch))
  return at !== undefined && toHex(at) === toHex(epoch) && status?.isFinal === true
}

/** Three nodes with some history, then an epoch. */
export async function openScene(kind: 'initial' | 'prune' = 'initial'): Promise<Scene> {
  const mesh = createMesh()
  const nodes = await openThree(mesh, { snapshots: true })
  const [a, b] = nodes
  await mesh.connect(nodes)
  for (let n = 0; n < 6; n += 1) {
    await mesh.run(a.kernel.submit(appOp(`set k${n % 3} ${n}`)))
    if (n % 2 === 0) await mesh.run(b.kernel.submit(appOp(`put p${n} ${n}`)))
  }
  const epoch = await mesh.run(a.kernel.submitEpoch({ kind }))
  await until(mesh, () => nodes.every((node) => isFinalAt(node, epoch)))
  return { mesh, nodes, epoch }
}

export function prunedStoreOptions(
  { mesh, nodes: [a] }: Scene,
  change: Partial<PrunedStoreOptions> = {},
): PrunedStoreOptions {
  return {
    directory: change.directory ?? temporaryDirectory(),
    storeId: a.kernel.storeId,
    crypto,
    signer: newcomer,
    membership: createModelPolicy(),
    clock: mesh.scheduler.clock,
    projectorVersion: 'tracking/1',
    ...change,
  }
}

export function itemsOf(kernel: Kernel, epoch: IntentionId): readonly FoundationItem[] {
  const foundation = kernel.foundation(epoch)
  const items: FoundationItem[] = []
  for (let page = foundation?.read(0, 300) ?? []; page.length > 0; page = foundation?.read(items.length, 300) ?? []) {
    items.push(...page)
  }
  return items
}

/** Hands over what is to come next, one page; false when the store is whole. */
export async function handOver(kernel: Kernel, epoch: IntentionId, store: PrunedStoreWriter): Promise<boolean> {
  const stage = store.stage()
  if (stage.kind === 'whole') return false
  if (stage.kind === 'foundation') {
    const items = kernel.foundation(epoch)?.read(stage.after, 600) ?? []
    const taken = items.length > 0 ? store.addItems(items) : store.endItems()
    if (!taken.ok) throw new Error(taken.error.problem)
    return true
  }
  const after: { after?: RowPosition } = stage.after === undefined ? {} : { after: stage.after }
  const { rows } = kernel.readSnapshot({ epoch: stage.epoch, maxBytes: 200, ...after })
  const taken = rows.length > 0 ? await store.addRows(rows) : store.endRows()
  if (!taken.ok) throw new Error(`the rows are refused: ${taken.error.code}`)
  return true
}

/** A directory that opens as a store at the epoch. */
export async function makeStore(scene: Scene, change: Partial<PrunedStoreOptions> = {}): Promise<string> {
  const options = prunedStoreOptions(scene, change)
  const store = openPrunedStore(options)
  while (await handOver(scene.nodes[0].kernel, scene.epoch, store));
  store.close()
  return options.directory
}

export async function openMade(scene: Scene, directory: string, options: Partial<KernelOptions> = {}): Promise<Node> {
  return scene.mesh.open(newcomer, { directory, snapshots: true, ...options })
}

/** Hands over all that the other has over the epoch. */
export async function catchUp({ mesh, epoch }: Scene, from: Kernel, to: Kernel): Promise<void> {
  const index = from.over(epoch)?.rangeIndex()
  const ids = index === undefined ? [] : [...index.items(0, index.size())].map(({ id }) => id as IntentionId)
  const { intentions } = from.read(to.missing(ids), 10_000_000)
  await mesh.run(to.ingest(intentions, undefined))
}
