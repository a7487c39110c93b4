/**
 * The simulation itself: the same course for the same seed, and every rule seen to find a bug that was planted for it, here or in
 * `simulation-rules.test.ts`. A rule that is looked at in several places has a bug for one of them at least, not for each.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareMesh, type PreparedMesh, runSimulation } from '../src/index.ts'
import { track } from '../src/simulation/track.ts'

import { members } from '../src/simulation/gathering.ts'
import { drawPlan } from '../src/simulation/plan.ts'
import { createRunRecord } from '../src/simulation/run-record.ts'
import { runSeeds } from '../src/simulation/run-seeds.ts'
import { readCommand } from '../src/simulation/sim-command.ts'
import { watchLines } from '../src/simulation/watch-lines.ts'
import type { World } from '../src/simulation/world.ts'
import {
  atTheEnd,
  expectFound,
  NODES,
  once,
  type Planted,
  replaceKernel,
  replaceStats,
  replaceStore,
  TIMEOUT_MS,
} from './sabotage.ts'

let prepared: PreparedMesh
beforeAll(async () => {
  prepared = await prepareMesh(NODES + 1)
})
afterAll(() => prepared.remove())

test(
  'the same seed takes the same course, faults, crashes and a hostile peer included',
  { timeout: TIMEOUT_MS },
  async () => {
    const options = {
      nodes: NODES,
      minutes: 0.2,
      prepared,
      faults: ['crash', 'crash_at_point', 'stop', 'weather', 'disk_full', 'skew_far'],
      hostile: [
        'forge_digest',
        'fork',
        'garbage',
        'withhold',
        'invent_ids',
        'other_topic',
        'invent_peers',
        'forge_epoch',
        'backdate_epoch',
        'lie_about_time',
      ],
    } as const
    const first = await runSimulation({ ...options, seed: 1002 })
    const again = await runSimulation({ ...options, seed: 1002 })
    expect(again).toEqual(first)
    expect(first.events).toBeGreaterThan(1_000)
    // What a network adds to the course is in it: views narrower than the circle, and peers that are looked for; so is
    // what is done to peers, and what a hostile one signs.
    expect(first.plan).toMatchObject({ activeView: 2, discovery: true, lateNodes: 1, membershipPercent: 69 })
    const other = await runSimulation({ ...options, seed: 12 })
    expect(other.traceHash).not.toBe(first.traceHash)
  },
)

test(
  'in every process, too: stores made in the course, history cut, a network in parts',
  { timeout: TIMEOUT_MS },
  async () => {
    const options = { nodes: NODES, minutes: 0.2 } as const
    const here = await runSimulation({ ...options, seed: 367 })
    expect(here.plan).toMatchObject({ fresh: true, historyPercent: 29, cutsApart: 1, discovery: true })
    expect(here.plan.faults).toContain('partition')
    expect(here.faults['partition']).toBeGreaterThan(0)
    const { traceHash, events, virtualMs, bytes } = here
    const reports = await runSeeds({ ...options, seeds: [367, 367], jobs: 2 })
    const there = { kind: 'passed', result: { traceHash, events, virtualMs, bytes } }
    expect(reports).toMatchObject([there, there])
  },
)

/** A disk that forgets what it was told to keep. */
function forgetLog({ mesh, record, stores }: World): void {
  const written = record.acknowledged.find(({ node }) => mesh.peers[node]?.isUp() === true)
  if (written === undefined || record.acts.has('forgotten')) return
  record.acts.set('forgotten', 1)
  mesh.crash(written.node)
  for (const id of Object.values(stores)) {
    rmSync(join(mesh.peers[written.node]?.dataDir() ?? '', 'stores', toHex(id), 'log.db-wal'), { force: true })
  }
}

/** As if the log had been cut at its newest epoch, and were whole. */
function baseAt(kernel: Kernel): NonNullable<ReturnType<Kernel['base']>> {
  const [epoch = kernel.storeId as never] = kernel.digest().epochHeads
  return { epoch, seq: 1n, fromSeq: 1, goneCount: 0 }
}

const PLANTED: readonly Planted[] = [
  [
    'a write that was acknowledged and is nowhere',
    'acknowledged_is_kept',
    {
      sabotage: atTheEnd(({ record, stores }) => {
        record.acknowledged.push({ storeId: stores.team, id: stores.watched as never, node: 0 })
      }),
    },
  ],
  ['a disk that forgets what was synced', 'acknowledged_is_kept', { minutes: 0.3, sabotage: forgetLog }],
  [
    'a machine that one node drives to another state',
    'equal_sets_equal_tables',
    {
      minutes: 0.3,
      plant: (machine, nth) =>
        nth !== 3
          ? machine
          : {
              ...machine,
              apply: (table, op) => {
                const result = machine.apply(table, op)
                table.set(op.id, new Uint8Array([nth]))
                return result
              },
            },
    },
  ],
  [
    'an operation that is applied twice',
    'applied_once_after_causes',
    {
      minutes: 0.3,
      plant: (machine) => ({
        ...machine,
        apply: (table, op) => {
          machine.apply(table, op)
          return machine.apply(table, op)
        },
      }),
    },
  ],
  [
    'a machine that throws',
    'errors_are_typed',
    {
      minutes: 0.3,
      plant: (machine) => ({
        ...machine,
        apply: () => {
          throw new Error('planted')
        },
      }),
    },
  ],
  [
    'a session that says synced of sets that were never held',
    'synced_is_true',
    {
      minutes: 0.3,
      faults: ['disconnect'],
      // What is claimed is looked for among what is held now as well: so nothing is taken down any more.
      sabotage: ({ digests }) => {
        for (const known of digests.values()) {
          known.clear()
          known.add = () => known
        }
      },
    },
  ],
  [
    'a status that says synced while peers are not',
    'synced_is_true',
    {
      sabotage: atTheEnd((world) => {
        replaceStore(world, (handle) => ({ status: () => ({ ...handle.status(), synced: true, peersSynced: 0 }) }))
      }),
    },
  ],
  [
    'a peer that is shown as synced with what it never held',
    'synced_is_true',
    {
      sabotage: once((world) =>
        replaceStore(world, (handle) => ({
          kernel: () => {
            const kernel = handle.kernel()
            return { ...kernel, digest: () => ({ ...kernel.digest(), fingerprint: new Uint8Array(32) }) }
          },
          peers: () => handle.peers().map((peer) => ({ ...peer, sync: 'synced' as const })),
        })),
      ),
    },
  ],
  [
    'a network that never comes back',
    'heals_in_time',
    {
      sabotage: once(({ mesh, keyOf }) => {
        const [a, b] = [keyOf(0), keyOf(1)]
        if (a === undefined || b === undefined) throw new Error('both are up')
        mesh.partition([0], [1, 2])
        Object.assign(mesh.network, { heal: () => undefined })
      }),
    },
  ],
  [
    'an author that nobody admitted',
    'authors_are_admitted',
    { sabotage: atTheEnd((world) => replaceStore(world, () => ({ peers: () => [] }))) },
  ],
  [
    'a token that admitted more than it may',
    'tokens_are_bounded',
    {
      sabotage: atTheEnd((world) => {
        const [first = 0] = members(world)
        const [invite] = world.mesh.store(first, world.stores.team).invites()
        if (invite === undefined) throw new Error('the mesh was made by invites')
        world.record.tokens.push({ token: '', tokenHash: invite.tokenHash, uses: 0 })
      }),
    },
  ],
  [
    'an act that fails without a type',
    'errors_are_typed',
    {
      sabotage: once((world) =>
        track(world, { what: 'planted', index: 0, work: () => Promise.reject(new TypeError('planted')) }),
      ),
    },
  ],
  [
    'an act that never ends',
    'heals_in_time',
    {
      sabotage: once((world) => track(world, { what: 'planted', index: 0, work: () => new Promise(() => undefined) })),
    },
  ],
  [
    'timers that pile up',
    'timers_are_bounded',
    {
      sabotage: once(({ mesh }) => {
        for (let nth = 0; nth < 20_001; nth += 1) mesh.time.scheduler.after(1e9, () => undefined)
      }),
    },
  ],
  [
    'connections that pile up',
    'connections_are_bounded',
    { sabotage: once(({ mesh }) => Object.assign(mesh.network, { connectionCount: () => 1_000 })) },
  ],
  [
    'a cursor ahead of the log',
    'cursor_within_log',
    { sabotage: once((world) => replaceStats(world, { appliedSeq: 1e9 })) },
  ],
  [
    'floating intentions beyond their bound',
    'floating_is_bounded',
    { sabotage: once((world) => replaceStats(world, { floatingCount: 1e9 })) },
  ],
  [
    'a view that differs on nodes of one set',
    'equal_sets_equal_views',
    {
      sabotage: once((world) => {
        let nth = 0
        replaceKernel(world, (kernel) => {
          nth += 1
          const view = { ...kernel.membership(), ...(nth % 2 === 0 && { active: () => [] }) }
          return { membership: () => view }
        })
      }),
    },
  ],
  [
    'something in state of an author who counts for nothing',
    'nothing_beyond_a_cutoff',
    {
      minutes: 0.3,
      sabotage: atTheEnd((world) =>
        replaceKernel(world, (kernel) => {
          const view = { ...kernel.membership(), isHeard: () => false }
          return { membership: () => view }
        }),
      ),
    },
  ],
  [
    'a write that is left out although it counts',
    'acknowledged_is_kept',
    {
      minutes: 0.3,
      sabotage: atTheEnd((world) =>
        replaceKernel(world, () => ({
          excluded: () => world.record.acknowledged.map(({ id }) => ({ id, isLink: false }) as never),
        })),
      ),
    },
  ],
  [
    'operations that are left out of state',
    'all_that_counts_is_applied',
    { minutes: 0.3, plant: (machine) => ({ ...machine, apply: () => ({ kind: 'applied', events: [] }) }) },
  ],
  [
    'an epoch that was settled and is gone',
    'settled_stays',
    {
      sabotage: atTheEnd(({ record, stores, keyOf }) => {
        record.settled.push({ node: 0, author: keyOf(0), storeId: stores.team, epoch: stores.watched as never })
      }),
    },
  ],
  [
    'a forged epoch that counts',
    'epochs_are_judged',
    {
      sabotage: atTheEnd(({ record, stores, mesh }) => {
        const [id] = mesh.store(0, stores.team).kernel().digest().epochHeads
        if (id === undefined) throw new Error('the mesh has an epoch')
        record.forged.push({ id, what: 'planted' })
      }),
    },
  ],
  [
    'a count that is told and not held',
    'told_is_held',
    {
      sabotage: once((world) =>
        replaceKernel(world, (kernel) => ({ digest: () => ({ ...kernel.digest(), witnessCount: 1e9 }) })),
      ),
    },
  ],
  [
    'roots that differ',
    'equal_sets_equal_roots',
    {
      sabotage: atTheEnd((world) => {
        let nth = 0
        replaceStore(world, (handle) => ({
          stateSummary: async () => {
            nth += 1
            const summary = await handle.stateSummary()
            return nth % 2 === 0 ? summary : { ...summary, digest: summary.digest.map((byte) => byte ^ 1) as never }
          },
        }))
      }),
    },
  ],
  [
    'a history that grows backwards',
    'bases_move_forward',
    {
      sabotage: once((world) => {
        world.bases.set('0 team', { epoch: world.stores.watched as never, seq: 9n })
      }),
    },
  ],
  [
    'a cut at an epoch that nobody vouches for',
    'cuts_are_agreed',
    {
      sabotage: once((world) =>
        replaceKernel(world, (kernel) => {
          const unsigned = kernel.epochs().map((each) => ({ ...each, roots: [] }))
          return { base: () => baseAt(kernel), epochs: () => unsigned }
        }),
      ),
    },
  ],
  [
    'peers that signed different states at an epoch',
    'equal_roots_at_epochs',
    {
      sabotage: atTheEnd((world) => {
        let nth = 0
        replaceKernel(world, (kernel) => {
          const root = new Uint8Array(32).fill((nth += 1)) as never
          const author = world.keyOf(0) as never
          return {
            epochs: () => kernel.epochs().map((each) => ({ ...each, roots: [{ author, root, chainEnds: root }] })),
          }
        })
      }),
    },
  ],
  [
    'a write that a cut lost without a word',
    'nothing_goes_silently',
    {
      minutes: 0.3,
      sabotage: atTheEnd((world) => {
        const id = new Uint8Array(32).fill(7) as never
        world.record.acknowledged.push({ storeId: world.stores.watched, id, node: 0 })
        for (const index of members(world)) {
          for (const [name, storeId] of Object.entries(world.stores)) {
            world.bases.set(`${index} ${name}`, baseAt(world.mesh.store(index, storeId).kernel()))
          }
        }
        replaceKernel(world, (kernel) => ({ base: () => baseAt(kernel) }))
      }),
    },
  ],
  [
    'a deletion that never ends',
    'heals_in_time',
    { sabotage: once((world) => replaceKernel(world, () => ({ pruning: () => ({ state: 'pruning' }) }))) },
  ],
]

describe('a planted bug is found', () => {
  test.each(PLANTED)('%s', { timeout: TIMEOUT_MS }, async (_, invariant, options) => {
    await expectFound(invariant, { prepared, ...options })
  })

  test('lines that are alarms: an error, and an honest peer that is scored', () => {
    const record = createRunRecord(drawPlan({ seed: 1, nodes: NODES }))
    const scored: number[] = []
    record.onMisbehaviour = (index) => scored.push(index)
    const logger = watchLines(record, 'node-1')
    logger.warn('peer misbehaves', { peer: 'ab' })
    logger.debug('anything')
    expect(scored).toEqual([1])
    logger.error('it broke', { error: new Error('why') })
    expect(record.findings).toEqual([{ invariant: 'no_errors_logged', message: 'node-1 logged it broke (error=why)' }])
    // The hostile peer's own troubles are no finding.
    watchLines(record, `node-${NODES}`).error('it broke')
    expect(record.findings).toHaveLength(1)
  })
})

describe('the command line', () => {
  test('names seeds, nodes, minutes and jobs', () => {
    expect(readCommand(['--seeds', '3', '--seed', '7', '--nodes', '4', '--minutes', '0.5', '--jobs', '2'])).toEqual({
      seeds: [7, 8, 9],
      nodes: 4,
      minutes: 0.5,
      jobs: 2,
      verbose: false,
      json: false,
    })
    expect(readCommand(['--seed', '7', '--verbose'])).toMatchObject({ seeds: [7], verbose: true })
  })

  test.each([
    [['--seeds', '0']],
    [['--seeds', 'many']],
    [['--seed', '-1']],
    [['--nodes', '1']],
    [['--nodes', '17']],
    [['--minutes', '0']],
    [['--minutes', 'NaN']],
    [['--jobs', '0.5']],
    [['--seeds', '2', '--verbose']],
    [['--what']],
    [['more']],
  ])('refuses %j with a sentence', (args) => {
    const command = readCommand(args)
    expect('usage' in command && command.usage.length > 0).toBe(true)
  })
})
