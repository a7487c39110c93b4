/**
 * Rules of the simulation that are about a node's life, about what it tells of itself, and about the run: each is seen to find
 * a bug that was planted for it. Those about stores, sets and history are in `simulation.test.ts`.
 *
 * Two ways to end badly are not planted: a process that is stuck, which is ended after ten minutes of real time, and a failure
 * in a process that is none of the simulation's own.
 */
import { cpSync, rmSync } from 'node:fs'
import { toHex } from '@lattice/model'
import type { Node, NodeEvent, NodeEventBody } from '@lattice/node'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type PreparedMesh, prepareMesh } from '../src/index.ts'
import { ACTS } from '../src/simulation/acts.ts'
import { createHostileTransport } from '../src/simulation/hostile-transport.ts'
import { runSeeds } from '../src/simulation/run-seeds.ts'
import type { PlantMachine } from '../src/simulation/watched-machine.ts'
import type { World } from '../src/simulation/world.ts'
import {
  atTheEnd,
  expectFound,
  NODES,
  once,
  type Planted,
  replaceKernel,
  replaceStore,
  type Sabotage,
  TIMEOUT_MS,
} from './sabotage.ts'

let prepared: PreparedMesh
beforeAll(async () => {
  prepared = await prepareMesh(NODES + 1)
})
afterAll(() => prepared.remove())

/** Node 0 loses power, and its events are these once it is back. */
function sayAfterRestart({ mesh }: World, say: (node: Node) => AsyncIterable<NodeEvent>): void {
  const { begin } = mesh
  Object.assign(mesh, {
    begin: async (...args: Parameters<typeof begin>) => {
      const node = await begin(...args)
      return node && { ...node, events: () => say(node) }
    },
  })
  mesh.crash(0)
}

/** Node 0 loses power, and its disk is later that of an earlier moment: what it wrote since is known to others alone. */
function turnBackDisk(): Sabotage {
  let taken: string | undefined
  return ({ mesh, record }) => {
    const [peer] = mesh.peers
    if (peer === undefined || record.phase !== 'chaos' || !peer.isUp()) return
    if (taken === undefined) {
      mesh.crash(0)
      taken = `${peer.dataDir()}.before`
      cpSync(peer.dataDir(), taken, { recursive: true })
    } else if (record.acknowledged.filter(({ node }) => node === 0).length > 2 && !record.acts.has('turned back')) {
      record.acts.set('turned back', 1)
      // That it lacks them itself is another rule.
      record.acknowledged.splice(0, Infinity, ...record.acknowledged.filter(({ node }) => node !== 0))
      mesh.crash(0)
      rmSync(peer.dataDir(), { recursive: true })
      cpSync(taken, peer.dataDir(), { recursive: true })
    }
  }
}

/** Node 0 says one thing alone, which never happened. */
const telling = (event: (world: World) => NodeEventBody) => ({
  minutes: 0.3,
  sabotage: once((world: World) =>
    sayAfterRestart(world, async function* () {
      yield { time: 0, ...event(world) }
    }),
  ),
})

/** A node that is in all else honest changes its frames on their way out. */
function speakGarbage({ mesh, random, crypto }: World): void {
  const { begin } = mesh
  Object.assign(mesh, {
    begin: (index: number) =>
      begin(index, {
        openTransport: (keyPair) =>
          createHostileTransport(mesh.network.transport(keyPair.publicKey), {
            habits: ['garbage'],
            random: random.fork('planted'),
            crypto,
            keyPair,
            lateMs: 0,
            isActive: () => true,
            onDeed: () => undefined,
          }),
      }),
  })
  mesh.crash(0)
}

/** What a node writes is applied there first, and nowhere else. */
function throwingAtOthers(): PlantMachine {
  const applied = new Set<string>()
  return (machine) => ({
    ...machine,
    apply: (table, op) => {
      if (applied.has(toHex(op.id))) throw new Error('planted')
      applied.add(toHex(op.id))
      return machine.apply(table, op)
    },
  })
}

function beginAct(world: World, name: string): void {
  const [, , begin] = ACTS.find((each) => each[1] === name) ?? []
  if (begin === undefined) throw new Error(`there is no act ${name}`)
  begin(world, 0)
}

const PLANTED: readonly Planted[] = [
  ['a disk that is that of an earlier moment', 'own_chain_never_forks', { minutes: 0.6, sabotage: turnBackDisk() }],
  [
    'a node that tells of a fork of an honest one',
    'own_chain_never_forks',
    telling(({ stores, keyOf }) => ({ kind: 'fork_detected', storeId: stores.team, author: keyOf(1) as never })),
  ],
  [
    'a fork of an honest node that is held in the end',
    'own_chain_never_forks',
    {
      sabotage: atTheEnd((world) =>
        replaceKernel(world, () => ({ forks: () => [{ author: world.keyOf(1) as never, branches: [] }] as never })),
      ),
    },
  ],
  ['a machine that throws at what others wrote', 'no_errors_logged', { minutes: 0.3, plant: throwingAtOthers() }],
  [
    'a node that tells of a projection that stalls',
    'projection_never_stalls',
    telling(({ stores }) => ({
      kind: 'stalled',
      storeId: stores.team,
      seq: 1,
      intentionId: stores.team,
      error: 'planted',
      since: 0,
    })),
  ],
  [
    'a node that tells of a store that failed',
    'stores_stay_whole',
    telling(({ stores }) => ({
      kind: 'store_failed',
      storeId: stores.team,
      failure: { code: 'planted', message: 'planted' } as never,
    })),
  ],
  [
    'events that break off',
    'events_end_well',
    {
      minutes: 0.3,
      sabotage: once((world) =>
        sayAfterRestart(world, async function* () {
          yield* []
          throw new Error('planted')
        }),
      ),
    },
  ],
  [
    'a log that is found damaged',
    'logs_stay_sound',
    {
      sabotage: once((world) => {
        replaceStore(world, ({ verify }) => ({
          verify: async () => ({ ...(await verify()), outcome: 'records' as const }),
        }))
        beginAct(world, 'verify')
      }),
    },
  ],
  ['an honest node that others score', 'honest_peers_trust_each_other', { minutes: 0.3, sabotage: once(speakGarbage) }],
  [
    'a deletion that begins when all have come together, and never ends',
    'stays_together',
    {
      sabotage: once((world) =>
        replaceKernel(world, () => (world.record.phase === 'check' ? { pruning: () => ({ state: 'pruning' }) } : {})),
      ),
    },
  ],
  [
    'a node that is closed, and lacks what it had when it is open again',
    'reopens_as_it_was',
    {
      sabotage: atTheEnd((world) => {
        const { stop } = world.mesh
        Object.assign(world.mesh, {
          stop: async (index: number) => {
            await stop(index)
            replaceKernel(world, () => ({ has: () => false }))
          },
        })
      }),
    },
  ],
  [
    'a node that goes on after it was closed',
    'closes_cleanly',
    {
      sabotage: atTheEnd(({ mesh: { time } }) => {
        const goOn = (): void => void time.scheduler.after(1_000, goOn)
        goOn()
      }),
    },
  ],
  [
    'a node that cannot be closed',
    'runs_to_its_end',
    {
      sabotage: atTheEnd(({ mesh }) => {
        Object.assign(mesh, { close: () => Promise.reject(new Error('planted')) })
      }),
    },
  ],
  [
    'a course that breaks off',
    'runs_to_its_end',
    {
      sabotage: once(() => {
        throw new Error('planted')
      }),
    },
  ],
]

describe('a planted bug is found', () => {
  test.each(PLANTED)('%s', { timeout: TIMEOUT_MS }, async (_, invariant, options) => {
    await expectFound(invariant, { prepared, ...options })
  })

  test('an own write that is gone for one step', { timeout: TIMEOUT_MS }, async () => {
    let isGone = false
    const sabotage = (world: World): void => {
      if (isGone || !world.record.acknowledged.some(({ node }) => node === 0)) return
      isGone = true
      replaceKernel(world, () => ({ has: () => false }))
    }
    expect(await expectFound('acknowledged_is_kept', { prepared, minutes: 0.3, sabotage })).toContain('(chaos)')
  })

  test('what a rule of a step finds once while all come together', { timeout: TIMEOUT_MS }, async () => {
    const sabotage = once(({ mesh }) => {
      const { heal, connectionCount } = mesh.network
      const counts = [1_000]
      Object.assign(mesh.network, {
        heal: () => {
          heal()
          mesh.crash(0)
          Object.assign(mesh.network, { connectionCount: () => counts.pop() ?? connectionCount() })
        },
      })
    })
    expect(await expectFound('connections_are_bounded', { prepared, sabotage })).toContain('(heal)')
  })

  test('a promise that fails and that nobody looks at', { timeout: TIMEOUT_MS }, async () => {
    // Those who run the tests listen, too, and would take it for a failure of theirs.
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    onTestFinished(() => {
      for (const each of others) process.on('unhandledRejection', each)
    })
    const sabotage = once(() => void Promise.reject(new Error('planted')))
    await expectFound('no_unhandled_rejections', { prepared, sabotage })
  })

  test('a process that ends instead of answering; the next seed has another', { timeout: TIMEOUT_MS }, async () => {
    vi.stubEnv('NODE_OPTIONS', '--import=data:text/javascript,process.exit(7)')
    onTestFinished(() => void vi.unstubAllEnvs())
    const reports = await runSeeds({ seeds: [1, 2], jobs: 1, nodes: NODES })
    expect(reports).toMatchObject([
      { kind: 'failed', seed: 1, invariant: 'processes_survive', text: 'seed 1: its process ended (7)' },
      { kind: 'failed', seed: 2, invariant: 'processes_survive', text: 'seed 2: its process ended (7)' },
    ])
  })
})
