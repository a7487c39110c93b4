import { idKey, type StoreId } from '@lattice/model'
import { system } from '@lattice/proto'
import type { StoragePoint } from '@lattice/storage'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, put } from './support.ts'

const MAX_POINTS = 200

/** Tells when the promise has settled, either way. */
function settled(promise: Promise<unknown>): () => boolean {
  let is = false
  promise
    .finally(() => {
      is = true
    })
    .catch(() => undefined)
  return () => is
}

interface Crash {
  readonly who: 'joiner' | 'inviter'
  readonly point: StoragePoint
  readonly nth: number
}

/** Joins with a crash at one place; false when the join was over before that. */
async function joinWithCrash({ who, point, nth }: Crash): Promise<boolean> {
  await using mesh = await createSimMesh({ seed: `${who} ${point} ${nth}`, nodes: 2 })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  await put(mesh, 0, id, ['k', 'v'])
  const token = await mesh.invite(0, id)
  const victim = who === 'joiner' ? 1 : 0
  const crashed = mesh.crashAt(victim, point, nth)
  const joined = settled(mesh.node(1).join(token))
  await mesh.run(() => crashed() || joined(), 'it crashed or joined')
  if (!crashed()) return false
  await mesh.start(victim)
  // Either it goes on by itself, or nothing of it is here and the same token is as good as before.
  if (victim === 0) await mesh.run(() => joined() || isKnown(mesh, 1, id), 'the joiner knows what became of it')
  if (!isKnown(mesh, 1, id)) {
    expect(mesh.node(1).stores()).toEqual([])
    await mesh.complete(mesh.node(1).join(token))
  }
  await mesh.converge(id)
  expect(await get(mesh, 1, id, 'k')).toBe('v')
  expect(mesh.store(0, id).peers()).toHaveLength(2)
  expect(mesh.store(0, id).invites()).toMatchObject([{ usesLeft: 0, claimedBy: [mesh.node(1).id] }])
  await put(mesh, 1, id, ['from', 'the joiner'])
  await mesh.converge(id)
  return true
}

function isKnown(mesh: SimMesh, index: number, id: StoreId): boolean {
  return mesh
    .node(index)
    .stores()
    .some((store) => idKey(store.id) === idKey(id))
}

describe('a join', () => {
  // What is on disk differs at these; `committed` is looked at in crashes.test.ts.
  test.each<readonly [Crash['who'], StoragePoint, number]>([
    ['joiner', 'open', 2],
    ['joiner', 'opened', 2],
    ['joiner', 'commit', 8],
    ['joiner', 'written', 30],
    ['inviter', 'commit', 3],
    ['inviter', 'written', 8],
  ])(
    'is made good after a crash of the %s at any point of the kind %s',
    async (who, point, atLeast) => {
      let points = 0
      while (points < MAX_POINTS && (await joinWithCrash({ who, point, nth: points + 1 }))) points += 1
      expect(points).toBeGreaterThanOrEqual(atLeast)
      expect(points).toBeLessThan(MAX_POINTS)
    },
    120_000,
  )

  // Model: of four that come at once, as many are in as the token has uses, and the others are told that it is used up.
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'never exceeds the uses of its token, over lost answers and crashes of the inviter: seed %i',
    async (seed) => {
      await using mesh = await createSimMesh({ seed, nodes: 5, loseOneIn: 20 })
      const { random } = mesh
      const uses = 1 + random.below(3)
      const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
      const { token } = await mesh.complete(mesh.store(0, id).invite({ uses, expiresInMs: 365 * 24 * 3_600_000 }))
      const waiting = new Set([1, 2, 3, 4])
      const refused: number[] = []
      for (let round = 0; waiting.size > 0; round += 1) {
        expect(round).toBeLessThan(20)
        const crashed =
          round < 3 ? mesh.crashAt(0, random.below(2) === 0 ? 'commit' : 'committed', 1 + random.below(4)) : () => false
        const outcomes = [...waiting].map((index) => [index, outcomeOf(mesh, index, { id, token })] as const)
        const over = outcomes.map(([, outcome]) => settled(outcome))
        await mesh.run(() => crashed() || over.every((is) => is()), 'all are answered, or the inviter crashed')
        if (crashed()) await mesh.start(0)
        for (const [index, outcome] of outcomes) {
          const end = await mesh.complete(outcome)
          if (end === 'joined' || end === 'TOKEN_USED') waiting.delete(index)
          if (end === 'TOKEN_USED') refused.push(index)
        }
      }
      const joined = [1, 2, 3, 4].filter((index) => !refused.includes(index))
      // What was to crash it and has not is called off.
      await mesh.restart(0)
      await mesh.converge(id, [0, ...joined])
      expect(joined).toHaveLength(uses)
      expect(mesh.store(0, id).peers()).toHaveLength(1 + uses)
      const [invite] = mesh.store(0, id).invites()
      expect(invite).toMatchObject({ status: system.InviteStatus.CLAIMED, usesLeft: 0 })
      expect(invite?.claimedBy).toHaveLength(uses)
      for (const index of refused) expect(mesh.node(index).stores()).toEqual([])
    },
    60_000,
  )
})

/** Waits as long as a person would; a join that goes on by itself is one that succeeded. */
async function outcomeOf(
  mesh: SimMesh,
  index: number,
  { id, token }: { readonly id: StoreId; readonly token: string },
): Promise<string> {
  if (isKnown(mesh, index, id)) return 'joined'
  try {
    await mesh.node(index).join(token)
    return 'joined'
  } catch (error) {
    if (isKnown(mesh, index, id)) return 'joined'
    return (error as { code?: string }).code ?? String(error)
  }
}

describe('a token for a child with peers of its own', () => {
  async function declaredChild(mesh: SimMesh): Promise<{ readonly team: StoreId; readonly child: StoreId }> {
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const options = { name: 'private', parent: team, strategy: 'independent' } as const
    const { id: child } = await mesh.complete(mesh.node(0).createStore(options))
    await put(mesh, 0, child, ['k', 'v'])
    return { team, child }
  }

  test('lets in who does not know its parent', async () => {
    await using mesh = await createSimMesh({ seed: 20, nodes: 2 })
    const { child } = await declaredChild(mesh)
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, child)))
    expect(await get(mesh, 1, child, 'k')).toBe('v')
    expect(mesh.node(1).stores()).toMatchObject([{ path: 'private', parentId: undefined, state: 'active' }])
  })

  test('lets in who knows it from its parent, where it then has its place', async () => {
    await using mesh = await createSimMesh({ seed: 21, nodes: 2 })
    const { team, child } = await declaredChild(mesh)
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.converge(team)
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, child)))
    await mesh.converge(child)
    expect(await get(mesh, 1, child, 'k')).toBe('v')
    expect(mesh.node(1).store('team/private').summary()).toMatchObject({ parentId: team, state: 'active' })
    expect(mesh.store(0, child).peers()).toHaveLength(2)
  })
})
