/** How many round trips a session takes, by virtual time: the machines cost nothing there. */
import { describe, expect, test } from 'vitest'
import { type Mesh, openMesh } from './mesh.ts'

const ONE_WAY_MS = 50

function durations(mesh: Mesh): readonly number[] {
  return mesh.nodes.flatMap(({ events }) =>
    events.flatMap((event) =>
      'kind' in event && event.kind === 'sync_result' && event.outcome.kind === 'done'
        ? [event.outcome.durationMs]
        : [],
    ),
  )
}

describe('a session with news on both sides', () => {
  test('has taken two round trips on both: what its stream takes to end is not counted', async () => {
    const mesh = await openMesh({ nodes: 2, network: { latencyMs: { min: ONE_WAY_MS, max: ONE_WAY_MS } } })
    mesh.node(0).store.write(30)
    mesh.node(1).store.write(50)
    mesh.node(0).service.want(mesh.node(1).id, [])
    await mesh.until('both tell of a session', () => durations(mesh).length === 2)
    expect(mesh.converged()).toBe(true)
    expect(durations(mesh)).toEqual([2 * 2 * ONE_WAY_MS, 2 * 2 * ONE_WAY_MS])
  })
})
