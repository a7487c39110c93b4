/**
 * Kernels that hand on to each other what they witness, on a time of their own.
 *
 * @module
 */
import { genesisStoreId, type ParsedIntention, type PublicKey, type Signer, toHex } from '@lattice/model'
import type { ManualScheduler } from '@lattice/model/testing'
import { system } from '@lattice/proto'
import type { Kernel, KernelOptions } from '../src/index.ts'
import { genesisOf, signerOf, type TestKernel } from './harness.ts'
import { admitOp, createModelPolicy } from './model-policy.ts'
import { done, openIn, timeline } from './timeline.ts'
import { trackingAuthority } from './tracking-projector.ts'

export const creator: Signer = signerOf(1)
const genesis = genesisOf(creator)
const storeId = genesisStoreId(genesis)
/** Two admins beside the creator, in the order of their keys. */
export const others: readonly Signer[] = [signerOf(2), signerOf(3)].toSorted((a, b) =>
  toHex(a.publicKey) < toHex(b.publicKey) ? -1 : 1,
)
export const byKey: readonly Signer[] = [creator, ...others].toSorted((a, b) =>
  toHex(a.publicKey) < toHex(b.publicKey) ? -1 : 1,
)

export interface Node extends TestKernel {
  readonly signer: Signer
}

export interface Mesh {
  readonly scheduler: ManualScheduler
  readonly open: (signer: Signer, options?: Partial<KernelOptions>) => Promise<Node>
  /** Hands on to each other what these nodes hold and witness from here on. */
  readonly connect: (nodes: readonly Node[]) => Promise<void>
  readonly run: <T>(work: Promise<T>) => Promise<T>
}

export function createMesh(): Mesh {
  const scheduler = timeline()
  const run = async <T>(work: Promise<T>): Promise<T> => done(scheduler, work)
  const all = (kernel: Kernel): readonly ParsedIntention[] => kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
  return {
    scheduler,
    run,
    open: async (signer, options = {}) => {
      const about = { storeId, genesis, signer, membership: createModelPolicy(), authority: trackingAuthority }
      return { signer, ...(await openIn(scheduler, { ...about, ackDelayMs: Infinity, ...options })) }
    },
    connect: async (nodes) => {
      for (const { kernel } of nodes) {
        for (const other of nodes) {
          if (other.kernel === kernel) continue
          kernel.onWitnessed(({ intentions }) => void other.kernel.ingest(intentions, undefined).catch(() => {}))
          await run(other.kernel.ingest(all(kernel), undefined))
        }
      }
    },
  }
}

export function kindsOf(kernel: Kernel, kind: string, author?: PublicKey): readonly ParsedIntention[] {
  const written = kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
  return written.filter(({ op, intention }) => {
    return op.kind === kind && (author === undefined || toHex(intention.author) === toHex(author))
  })
}

export const hex = (ids: readonly Uint8Array[]): readonly string[] => ids.map(toHex)

/** Three nodes that know each other; the first has made the first epoch and nobody else knows of it. */
export async function openThree(
  mesh: Mesh,
  options: Partial<KernelOptions> = {},
): Promise<readonly [Node, Node, Node]> {
  const [first, second] = others
  if (first === undefined || second === undefined) throw new Error('there are two')
  const a = await mesh.open(creator, options)
  await mesh.run(a.kernel.submit(admitOp(first.publicKey, system.Role.ADMIN)))
  await mesh.run(a.kernel.submit(admitOp(second.publicKey, system.Role.ADMIN)))
  await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
  return [a, await mesh.open(first, options), await mesh.open(second, options)]
}
