import type { StoreId } from '@lattice/model'
import type { StoragePoint } from '@lattice/storage'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { acks, hasFiles, leftovers, withChild } from './life-support.ts'
import { get } from './support.ts'

interface Tree {
  readonly team: StoreId
  readonly notes: StoreId
}

interface Act {
  readonly prepare?: (mesh: SimMesh, tree: Tree) => Promise<void>
  readonly run: (mesh: SimMesh, tree: Tree) => Promise<unknown>
  /** What is so after the next start: nothing of it, or all of it. */
  readonly check: (mesh: SimMesh, tree: Tree) => Promise<void>
  /** Asked for again, it is done. */
  readonly after: (mesh: SimMesh, tree: Tree) => Promise<void>
}

const MAX_POINTS = 60

/** Runs the act once for each storage point of the kind and crashes there; answers how many there were. */
async function crashEverywhere(name: string, point: StoragePoint, act: Act): Promise<number> {
  for (let nth = 1; nth < MAX_POINTS; nth += 1) {
    await using mesh = await createSimMesh({ seed: `${name} ${point} ${nth}`, nodes: 1 })
    const tree = await withChild(mesh)
    await act.prepare?.(mesh, tree)
    const crashed = mesh.crashAt(0, point, nth)
    let isDone = false
    act
      .run(mesh, tree)
      .finally(() => {
        isDone = true
      })
      .catch(() => undefined)
    await mesh.run(() => crashed() || isDone, 'it crashed or is done')
    if (!crashed()) return nth - 1
    await mesh.start(0)
    await act.check(mesh, tree)
    await act.after(mesh, tree)
    expect(leftovers(mesh, 0)).toEqual([])
  }
  throw new Error('there is always one more point')
}

const stateOf = (mesh: SimMesh, id: StoreId): string => mesh.store(0, id).state()
const isGone = (mesh: SimMesh, id: StoreId): boolean => !hasFiles(mesh, 0, id)

const ACTS: Readonly<Record<string, Act>> = {
  archive: {
    run: (mesh, { notes }) => mesh.store(0, notes).archive(),
    check: async (mesh, { team, notes }) => {
      expect(stateOf(mesh, team)).toBe('active')
      expect(['active', 'archived']).toContain(stateOf(mesh, notes))
    },
    after: async (mesh, { notes }) => {
      await mesh.complete(mesh.store(0, notes).archive())
      await mesh.complete(mesh.store(0, notes).unarchive())
      expect(await get(mesh, 0, notes, 'k')).toBe('v')
    },
  },
  'destroy child': {
    prepare: (mesh, { notes }) => mesh.complete(mesh.store(0, notes).archive()),
    run: (mesh, { notes }) => mesh.store(0, notes).destroy(),
    check: async (mesh, { notes }) => {
      expect([`archived ${false}`, `destroyed ${true}`]).toContain(`${stateOf(mesh, notes)} ${isGone(mesh, notes)}`)
    },
    after: async (mesh, { team, notes }) => {
      await mesh.complete(mesh.store(0, notes).destroy())
      expect(mesh.store(0, notes).summary()).toMatchObject({ state: 'destroyed', hasData: false, path: 'team/notes' })
      expect(isGone(mesh, notes)).toBe(true)
      expect(acks(mesh, 0, team)).toHaveLength(1)
    },
  },
  'destroy root': {
    run: (mesh, { team }) => mesh.store(0, team).destroy(),
    check: async (mesh, { team }) => {
      expect([`active ${false}`, `destroyed ${true}`]).toContain(`${stateOf(mesh, team)} ${isGone(mesh, team)}`)
    },
    after: async (mesh, { team, notes }) => {
      await mesh.complete(mesh.store(0, team).destroy())
      expect(mesh.node(0).stores()).toMatchObject([{ state: 'destroyed', hasData: false, path: 'team' }])
      expect([team, notes].every((id) => isGone(mesh, id))).toBe(true)
    },
  },
  leave: {
    run: (mesh, { team }) => mesh.store(0, team).leave({ force: true }),
    check: async (mesh, { team, notes }) => {
      expect(['active', 'left']).toContain(stateOf(mesh, team))
      expect(stateOf(mesh, notes)).toBe(stateOf(mesh, team))
    },
    after: async (mesh, { team, notes }) => {
      await mesh.complete(mesh.store(0, team).leave({ force: true }))
      await mesh.complete(mesh.store(0, team).rejoin())
      expect(await get(mesh, 0, notes, 'k')).toBe('v')
    },
  },
  rejoin: {
    prepare: (mesh, { team }) => mesh.complete(mesh.store(0, team).leave({ force: true })),
    run: (mesh, { team }) => mesh.store(0, team).rejoin(),
    check: async (mesh, { team, notes }) => {
      expect(['active', 'left']).toContain(stateOf(mesh, team))
      expect(stateOf(mesh, notes)).toBe(stateOf(mesh, team))
    },
    after: async (mesh, { team, notes }) => {
      if (stateOf(mesh, team) === 'left') await mesh.complete(mesh.store(0, team).rejoin())
      expect(await get(mesh, 0, notes, 'k')).toBe('v')
    },
  },
  'delete root': {
    prepare: (mesh, { team }) => mesh.complete(mesh.store(0, team).leave({ force: true })),
    run: (mesh, { team }) => mesh.store(0, team).deleteData({ confirmed: true, force: true }),
    check: async (mesh, { team, notes }) => {
      const listed = mesh.node(0).stores().length
      expect([0, 2]).toContain(listed)
      for (const id of [team, notes]) expect(isGone(mesh, id)).toBe(listed === 0)
    },
    after: async (mesh, { team }) => {
      if (mesh.node(0).stores().length === 0) return
      await mesh.complete(mesh.store(0, team).deleteData({ confirmed: true, force: true }))
      expect(mesh.node(0).stores()).toEqual([])
      expect(isGone(mesh, team)).toBe(true)
    },
  },
  'delete child': {
    prepare: (mesh, { notes }) => mesh.complete(mesh.store(0, notes).archive()),
    run: (mesh, { notes }) => mesh.store(0, notes).deleteData({ confirmed: true, force: true }),
    check: async (mesh, { notes }) => {
      expect(mesh.store(0, notes).summary()).toMatchObject({ state: 'archived', hasData: !isGone(mesh, notes) })
    },
    after: async (mesh, { notes }) => {
      await mesh.complete(mesh.store(0, notes).deleteData({ confirmed: true, force: true }))
      expect(mesh.store(0, notes).summary()).toMatchObject({ state: 'archived', hasData: false, path: 'team/notes' })
      expect(isGone(mesh, notes)).toBe(true)
    },
  },
}

// Each point is a node of its own, and there are dozens of them.
const PATIENCE_MS = 180_000

describe('a crash during an act', () => {
  // What is on disk changes with commits and, where data goes, between what is before one and the next.
  test.each(Object.entries(ACTS))(
    '%s, after any commit, leaves it done or not done, and it can be asked for again',
    async (name, act) => {
      expect(await crashEverywhere(name, 'committed', act)).toBeGreaterThan(0)
    },
    PATIENCE_MS,
  )

  test.each(Object.entries(ACTS).filter(([name]) => name.startsWith('delete') || name.startsWith('destroy')))(
    '%s, before any commit, leaves it done or not done, and it can be asked for again',
    async (name, act) => {
      expect(await crashEverywhere(name, 'commit', act)).toBeGreaterThan(0)
    },
    PATIENCE_MS,
  )

  test(
    'at any commit while a child with copied peers is created leaves none or a whole one',
    async () => {
      let points = 0
      for (let nth = 1; nth < MAX_POINTS; nth += 1) {
        await using mesh = await createSimMesh({ seed: `snapshot ${nth}`, nodes: 2 })
        const team = await mesh.share('team')
        await mesh.converge(team)
        const crashed = mesh.crashAt(0, 'committed', nth)
        let isDone = false
        mesh
          .node(0)
          .createStore({ name: 'then', parent: team, strategy: 'snapshot' })
          .finally(() => {
            isDone = true
          })
          .catch(() => undefined)
        await mesh.run(() => crashed() || isDone, 'it crashed or came to be')
        if (!crashed()) break
        points = nth
        await mesh.start(0)
        const child = mesh
          .node(0)
          .stores()
          .find(({ parentId }) => parentId !== undefined)
        if (child === undefined) continue
        expect(child).toMatchObject({ state: 'active', path: 'team/then' })
        await mesh.converge(child.id)
        expect(mesh.store(1, child.id).status().strategy).toBe('snapshot')
        expect(mesh.store(1, child.id).peers()).toHaveLength(2)
        // Genesis, strategy and name, the peers with the first epoch, and what acknowledges that; other acks come later.
        expect(mesh.store(0, child.id).kernel().epochs()).toMatchObject([
          { cause: { kind: 'initial' }, fault: undefined },
        ])
        expect(mesh.store(0, child.id).status().stats.witnessCount).toBeLessThanOrEqual(5)
      }
      expect(points).toBeGreaterThanOrEqual(7)
    },
    PATIENCE_MS,
  )
})
