/**
 * The whole life of a mesh over three nodes with partitions, restarts and crashes, against a plain model.
 *
 * Node 0 is the only admin, so the model knows what is declared; what each node makes of it once all can talk again has
 * to be what the model says.
 */
import { type IdKey, idKey, type StoreId } from '@lattice/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { hasFiles, leftovers } from './life-support.ts'
import { codeOf, get, put } from './support.ts'

interface ModelChild {
  readonly id: StoreId
  readonly parent: IdKey
  status: 'active' | 'archived' | 'destroyed'
  /** What was written last, by node 0. */
  value: string | undefined
}

interface Model {
  readonly root: StoreId
  readonly children: ModelChild[]
  /** What became of the mesh on nodes 1 and 2. */
  readonly taking: ('in' | 'left' | 'deleted')[]
  written: number
}

type Step = readonly [
  (
    | 'create'
    | 'archive'
    | 'unarchive'
    | 'destroy'
    | 'put'
    | 'leave'
    | 'rejoin'
    | 'delete'
    | 'join'
    | 'cut'
    | 'heal'
    | 'restart'
    | 'crash'
  ),
  number,
]

const STEPS: readonly Step[0][] = [
  'create',
  'create',
  'archive',
  'unarchive',
  'destroy',
  'put',
  'put',
  'leave',
  'rejoin',
  'delete',
  'join',
  'cut',
  'heal',
  'restart',
  'crash',
]
const MAX_CHILDREN = 5

function effective(model: Model, child: ModelChild): ModelChild['status'] {
  const above = model.children.find(({ id }) => idKey(id) === child.parent)
  const upper = above === undefined ? 'active' : effective(model, above)
  if (upper === 'destroyed' || child.status === 'destroyed') return 'destroyed'
  return upper === 'archived' ? upper : child.status
}

/** Below a destroyed child nothing is known any more once its data is gone. */
function isKnown(model: Model, child: ModelChild): boolean {
  const above = model.children.find(({ id }) => idKey(id) === child.parent)
  return above === undefined || (effective(model, above) !== 'destroyed' && isKnown(model, above))
}

async function admin(mesh: SimMesh, model: Model, [step, pick]: Step): Promise<void> {
  const child = model.children[pick % Math.max(1, model.children.length)]
  if (step === 'create') {
    if (model.children.length >= MAX_CHILDREN) return
    const parent = child !== undefined && effective(model, child) === 'active' && pick % 2 === 0 ? child.id : model.root
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: `c${model.children.length}`, parent }))
    model.children.push({ id, parent: idKey(parent), status: 'active', value: undefined })
    return
  }
  if (child === undefined) return
  const handle =
    mesh
      .node(0)
      .stores()
      .some(({ id }) => idKey(id) === idKey(child.id)) && mesh.store(0, child.id)
  if (handle === false) return
  const above = model.children.find(({ id }) => idKey(id) === child.parent)
  const isReachable = above === undefined || effective(model, above) === 'active'
  if (step === 'put') {
    const value = `v${(model.written += 1)}`
    const code = await codeOf(
      mesh,
      Promise.resolve().then(() => put(mesh, 0, child.id, ['k', value])),
    )
    expect(code === 'resolved').toBe(effective(model, child) === 'active')
    if (code === 'resolved') child.value = value
    return
  }
  const act = { archive: handle.archive, unarchive: handle.unarchive, destroy: handle.destroy }[
    step as 'archive' | 'unarchive' | 'destroy'
  ]
  const code = await codeOf(mesh, act())
  const isAllowed = isReachable && (step === 'destroy' ? child.status !== 'active' : child.status !== 'destroyed')
  expect(code).toBe(isAllowed ? 'resolved' : 'WRONG_STATE')
  if (isAllowed) child.status = step === 'archive' ? 'archived' : step === 'unarchive' ? 'active' : 'destroyed'
}

/** Forced, as a node may be alone: what it may lose are writes of node 0, which has them. */
async function member(mesh: SimMesh, model: Model, [step, index]: Step): Promise<void> {
  const state = model.taking[index]
  const known = mesh.node(index).stores().length > 0
  if (step === 'join') {
    if (state !== 'deleted') return
    mesh.heal()
    await mesh.complete(mesh.node(index).join(await mesh.invite(0, model.root)))
    model.taking[index] = 'in'
    return
  }
  if (!known) return
  const handle = mesh.store(index, model.root)
  if (step === 'leave') {
    expect(await codeOf(mesh, handle.leave({ force: true }))).toBe('resolved')
    model.taking[index] = 'left'
  } else if (step === 'rejoin') {
    expect(await codeOf(mesh, handle.rejoin())).toBe(state === 'left' ? 'resolved' : 'WRONG_STATE')
    model.taking[index] = 'in'
  } else {
    const code = await codeOf(mesh, handle.deleteData({ confirmed: true, force: true }))
    expect(code).toBe(state === 'left' ? 'resolved' : 'WRONG_STATE')
    if (state === 'left') model.taking[index] = 'deleted'
  }
}

async function run(mesh: SimMesh, model: Model, step: Step): Promise<void> {
  const [kind, pick] = step
  switch (kind) {
    case 'create':
    case 'archive':
    case 'unarchive':
    case 'destroy':
    case 'put':
      return admin(mesh, model, step)
    case 'leave':
    case 'rejoin':
    case 'delete':
    case 'join':
      return member(mesh, model, [kind, 1 + (pick % 2)])
    case 'cut': {
      const alone = pick % 3
      mesh.partition(
        [alone],
        [0, 1, 2].filter((index) => index !== alone),
      )
      return
    }
    case 'heal':
      mesh.heal()
      return mesh.time.pass(5_000)
    case 'restart':
      await mesh.restart(pick % 3)
      return
    case 'crash':
      mesh.crash(pick % 3)
      await mesh.start(pick % 3)
  }
}

/** What a node shows of the children, by their creation; undefined for what it does not know. */
function shown(mesh: SimMesh, model: Model, index: number): (string | undefined)[] {
  const listed = new Map(
    mesh
      .node(index)
      .stores()
      .map((summary) => [idKey(summary.id), summary]),
  )
  return model.children.map(({ id }) => listed.get(idKey(id))?.state)
}

/** What a node may show of a child, once it takes part. */
function isAsExpected(model: Model, child: ModelChild, state: string | undefined): boolean {
  if (!isKnown(model, child)) return state === undefined
  const above = model.children.find(({ id }) => idKey(id) === child.parent)
  // What is below an archived store is known to who had that one before.
  const isHidden = above !== undefined && effective(model, above) === 'archived'
  return state === effective(model, child) || (isHidden && state === undefined)
}

async function check(mesh: SimMesh, model: Model): Promise<void> {
  mesh.heal()
  // Who left knows what was when it left: it is asked again once it is back.
  for (const index of [1, 2]) {
    if (model.taking[index] === 'left') await member(mesh, model, ['rejoin', index])
    if (model.taking[index] === 'deleted') await member(mesh, model, ['join', index])
  }
  await mesh.converge(model.root)
  await mesh.run(
    () =>
      [0, 1, 2].every((index) => {
        const states = shown(mesh, model, index)
        return model.children.every((child, at) => isAsExpected(model, child, states[at]))
      }),
    'every node shows what the model says',
  )
  for (const child of model.children) {
    const state = effective(model, child)
    if (state === 'active') {
      await mesh.converge(child.id)
      for (const index of [0, 1, 2]) expect(await get(mesh, index, child.id, 'k')).toBe(child.value)
      expect(mesh.store(0, child.id).status().stats.forkCount).toBe(0)
    }
    if (state === 'destroyed') {
      await mesh.run(() => [0, 1, 2].every((index) => !hasFiles(mesh, index, child.id)), 'its data is gone')
    }
  }
  for (const index of [0, 1, 2]) expect(leftovers(mesh, index)).toEqual([])
}

const anyStep: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...STEPS), fc.nat({ max: 5 }))

test('whatever happens to a mesh, all of it ends where the model says, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(anyStep, { minLength: 6, maxLength: 24 }), async (seed, steps) => {
      await using mesh = await createSimMesh({ seed: `model ${seed}`, nodes: 3 })
      const root = await mesh.share('team')
      const model: Model = { root, children: [], taking: ['in', 'in', 'in'], written: 0 }
      for (const step of steps) await run(mesh, model, step)
      await check(mesh, model)
    }),
    { numRuns: 6 },
  )
}, 240_000)
