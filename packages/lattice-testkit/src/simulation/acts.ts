/**
 * What users do: writes of every kind, stores that come and go, peers that join.
 *
 * @module
 */
import { openKv } from '@lattice/kvstore'
import { openLog } from '@lattice/logstore'
import { type IntentionId, type StoreId, toIntentionId } from '@lattice/model'
import { system } from '@lattice/proto'
import type { StoreHandle } from '@lattice/node'
import { find } from './run-record.ts'
import { track } from './track.ts'
import { storeIn, type World } from './world.ts'

/** Children made in one run: each costs every node a store. */
const MAX_MADE = 2
/** Keys that everybody fights over. */
const SHARED_KEYS = 4
/** Operations that one of the watched store cites at most. */
const MAX_CITED = 3

type Act = (world: World, index: number) => void

/** Those that stand more than once come more often. */
export const ACTS: readonly (readonly [weight: number, name: string, act: Act])[] = [
  [14, 'put', putOwn],
  [10, 'put_shared', putShared],
  [3, 'delete_shared', deleteShared],
  [3, 'resolve', resolveShared],
  [5, 'batch', putBatch],
  [2, 'burst', putBurst],
  [8, 'submit', submitWatched],
  [2, 'name', setNodeName],
  [2, 'create_child', createChild],
  [2, 'archive', archiveOrBack],
  [8, 'write_to_child', writeToChild],
  [2, 'promote', promote],
  [3, 'invite', invite],
  [3, 'join', join],
  [2, 'sync', syncNow],
  [1, 'ack', acknowledge],
  [1, 'rebuild', rebuild],
  [1, 'verify', verify],
]

interface Written {
  readonly index: number
  readonly storeId: StoreId
  readonly what: string
  readonly key?: string
}

function write(
  world: World,
  { index, storeId, what, key }: Written,
  submit: (store: StoreHandle) => Promise<IntentionId>,
): void {
  const store = storeIn(world, index, storeId)
  if (store === undefined) return
  track(world, { what, index, work: () => submit(store) }, (id) => {
    world.record.acknowledged.push({ storeId, id, node: index, ...(key !== undefined && { key }) })
  })
}

function unique({ record }: World, index: number): string {
  return `own ${index} ${record.step} ${record.acknowledged.length} ${record.underWay.size}`
}

function sharedKey({ random }: World): string {
  return `shared ${random.below(SHARED_KEYS)}`
}

function putOwn(world: World, index: number): void {
  const key = unique(world, index)
  const value = 'x'.repeat(world.random.below(world.random.below(20) === 0 ? 20_000 : 100))
  write(world, { index, storeId: world.stores.team, what: `put ${key}`, key }, (store) => openKv(store).put(key, value))
}

function putShared(world: World, index: number): void {
  const key = sharedKey(world)
  const value = `by ${index} in ${world.record.step}`
  write(world, { index, storeId: world.stores.team, what: `put ${key}` }, (store) => openKv(store).put(key, value))
}

function deleteShared(world: World, index: number): void {
  const key = sharedKey(world)
  write(world, { index, storeId: world.stores.team, what: `delete ${key}` }, (store) => openKv(store).delete(key))
}

function resolveShared(world: World, index: number): void {
  const key = sharedKey(world)
  const what = `resolve ${key}`
  write(world, { index, storeId: world.stores.team, what }, (store) =>
    openKv(store).resolve(key, `in ${world.record.step}`),
  )
}

function putBatch(world: World, index: number): void {
  const keys = [sharedKey(world), unique(world, index)]
  write(world, { index, storeId: world.stores.team, what: 'batch' }, (store) => {
    const batch = openKv(store).batch()
    for (const key of keys) batch.put(key, `${world.record.step}`)
    return batch.delete(sharedKey(world)).commit()
  })
}

/** Many at once: they share commits and runs. */
export function putBurst(world: World, index: number): void {
  const count = 2 + world.random.below(20)
  for (let nth = 0; nth < count; nth += 1) putOwn(world, index)
}

export function submitWatched(world: World, index: number): void {
  const value = world.random.bytes(8)
  const first = world.random.bytes(32)
  write(world, { index, storeId: world.stores.watched, what: 'submit' }, (store) =>
    store.kernel().submit(
      { kind: 'appData', schema: 1, value },
      {
        deps: ({ app }) => {
          const cited: IntentionId[] = []
          for (const { key } of app.scan({ gte: first, limit: MAX_CITED })) cited.push(toIntentionId(key.slice()))
          return cited
        },
      },
    ),
  )
}

function setNodeName(world: World, index: number): void {
  const name = `node ${index} in ${world.record.step}`
  track(world, { what: 'name', index, work: () => world.mesh.node(index).setName(name) })
}

function createChild(world: World, index: number): void {
  const { record, mesh, stores, random } = world
  if (record.made.length >= MAX_MADE || storeIn(world, index, stores.team) === undefined) return
  const name = `child ${record.made.length}`
  const storeType = random.below(2) === 0 ? 'core:kvstore' : 'core:logstore'
  const work = (): Promise<StoreHandle> => mesh.node(index).createStore({ name, storeType, parent: stores.team })
  track(world, { what: `create ${name}`, index, work }, ({ id }) =>
    record.made.push({ id, name, storeType, node: index }),
  )
}

function writeToChild(world: World, index: number): void {
  const made = world.record.made[world.random.below(MAX_MADE)]
  if (made === undefined) return
  const entry = unique(world, index)
  write(world, { index, storeId: made.id, what: `write to ${made.name}` }, (store) =>
    made.storeType === 'core:logstore' ? openLog(store).append(entry) : openKv(store).put(entry, 'v'),
  )
}

function archiveOrBack(world: World, index: number): void {
  const { mesh, record, random } = world
  const made = record.made[random.below(MAX_MADE)]
  if (made === undefined || !isKnown(world, index, made.id)) return
  const store = mesh.store(index, made.id)
  const [what, work] = random.below(2) === 0 ? ['archive', store.archive] : ['unarchive', store.unarchive]
  track(world, { what: `${what} ${made.name}`, index, work })
}

function isKnown({ mesh }: World, index: number, id: StoreId): boolean {
  const { stores } = { stores: mesh.node(index).stores() }
  return stores.some((each) => Buffer.compare(each.id, id) === 0)
}

/** Gives a writer the rights of an admin. */
function promote(world: World, index: number): void {
  const { stores, random, honest, keyOf } = world
  const peer = keyOf(honest[random.below(honest.length)] ?? 0)
  const store = storeIn(world, index, stores.team)
  if (store === undefined || peer === undefined) return
  const work = (): Promise<unknown> => store.setPeerRole(Buffer.from(peer).toString('hex'), system.Role.ADMIN)
  track(world, { what: 'promote', index, work })
}

function invite(world: World, index: number): void {
  const { record, stores, late, random } = world
  const store = storeIn(world, index, stores.team)
  if (late.length === 0 || store === undefined) return
  const uses = 1 + random.below(2)
  track(world, { what: 'invite', index, work: () => store.invite({ uses }) }, ({ token, tokenHash }) =>
    record.tokens.push({ token, tokenHash, uses }),
  )
}

/** A late node tries a token; several may try the same one at once. */
function join(world: World): void {
  const { record, late, random, mesh } = world
  const index = late[random.below(Math.max(1, late.length))]
  const chosen = record.tokens[random.below(Math.max(1, record.tokens.length))]
  if (index === undefined || chosen === undefined || mesh.peers[index]?.isUp() !== true) return
  if (mesh.node(index).stores().length > 0) return
  track(world, { what: 'join', index, work: () => mesh.node(index).join(chosen.token) })
}

function syncNow(world: World, index: number): void {
  const store = storeIn(world, index, world.stores.team)
  if (store === undefined) return
  const work = async (): Promise<void> => {
    for await (const { result } of store.sync(new AbortController().signal)) {
      world.record.journal.note(`node-${index}: sync ended as ${result}`)
    }
  }
  track(world, { what: 'sync', index, work })
}

function acknowledge(world: World, index: number): void {
  const store = storeIn(world, index, world.stores.team)
  if (store !== undefined) track(world, { what: 'ack', index, work: store.acknowledge })
}

function rebuild(world: World, index: number): void {
  const store = storeIn(world, index, world.stores.watched)
  if (store !== undefined) track(world, { what: 'rebuild', index, work: () => store.rebuild() })
}

function verify(world: World, index: number): void {
  const store = storeIn(world, index, world.stores.watched)
  if (store === undefined) return
  track(world, { what: 'verify', index, work: () => store.verify() }, ({ outcome, problems }) => {
    if (outcome !== 'sound')
      find(world.record, 'logs_stay_sound', `node-${index}: ${outcome} ${JSON.stringify(problems)}`)
  })
}
