import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { kvOf } from './support.ts'

const NODES = 3

type Step =
  | { readonly kind: 'put' | 'delete' | 'resolve'; readonly node: number; readonly key: number }
  | { readonly kind: 'crash' | 'restart'; readonly node: number }
  | { readonly kind: 'partition'; readonly node: number }
  | { readonly kind: 'heal' }
  | { readonly kind: 'pass'; readonly ms: number }

const nodes = fc.nat({ max: NODES - 1 })
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), node: nodes, key: fc.nat({ max: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('delete' as const, 'resolve' as const),
      node: nodes,
      key: fc.nat({ max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'restart' as const), node: nodes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('partition' as const), node: nodes }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'heal' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 15_000 }) }) },
)

interface Run {
  readonly mesh: SimMesh
  readonly id: Parameters<SimMesh['store']>[1]
  /** Keys of writes that were acknowledged; each is written once. */
  readonly acknowledged: string[]
}

async function take({ mesh, id, acknowledged }: Run, step: Step, position: number): Promise<void> {
  switch (step.kind) {
    case 'put': {
      // One key that everybody fights over, one that nobody else writes.
      await mesh.complete(
        kvOf(mesh, step.node, id).batch().put(`shared ${step.key}`, `${position}`).put(`own ${position}`, 'x').commit(),
      )
      acknowledged.push(`own ${position}`)
      return
    }
    case 'delete':
      await mesh.complete(kvOf(mesh, step.node, id).delete(`shared ${step.key}`))
      return
    case 'resolve':
      await mesh.complete(kvOf(mesh, step.node, id).resolve(`shared ${step.key}`, `resolved ${position}`))
      return
    case 'crash':
      mesh.crash(step.node)
      await mesh.start(step.node)
      return
    case 'restart':
      await mesh.restart(step.node)
      return
    case 'partition':
      mesh.partition([step.node])
      return
    case 'heal':
      mesh.heal()
      return
    case 'pass':
      await mesh.time.pass(step.ms)
  }
}

describe('whatever happens', () => {
  test('nodes converge once they can talk, with every acknowledged write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 30 }), fc.nat(), async (schedule, seed) => {
        await using mesh = await createSimMesh({ seed, nodes: NODES, loseOneIn: 200 })
        const id = await mesh.share()
        const run: Run = { mesh, id, acknowledged: [] }
        for (const [position, step] of schedule.entries()) await take(run, step, position)
        mesh.heal()
        await mesh.converge(id)
        for (const [index] of mesh.peers.entries()) {
          const kv = kvOf(mesh, index, id)
          for (const key of run.acknowledged) expect((await kv.get(key)).value).toBeDefined()
        }
      }),
      { numRuns: 12, seed: 2026 },
    )
  })

  test('the same seed gives the same run', async () => {
    const traces: string[] = []
    for (let round = 0; round < 2; round += 1) {
      await using mesh = await createSimMesh({ seed: 'again', nodes: 3 })
      const id = await mesh.share()
      mesh.partition([2])
      for (let index = 0; index < 5; index += 1) await mesh.complete(kvOf(mesh, index % 3, id).put('k', `${index}`))
      mesh.heal()
      await mesh.converge(id)
      const { fingerprint, stats } = mesh.store(2, id).status()
      traces.push(
        `${Buffer.from(fingerprint).toString('hex')} ${stats.witnessCount} ${mesh.time.scheduler.clock.monotonicMs()}`,
      )
    }
    expect(traces[1]).toBe(traces[0])
  })
})
