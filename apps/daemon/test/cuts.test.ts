/**
 * Three real daemons on hosts of their own, which a script cuts off, moves and kills while they are written to. After each
 * round all that was acknowledged comes to each by itself. Then all else is the same, too: since acknowledgements go on being
 * written, whoever looks different is compared with until a look finds all equal.
 */
import { assert, type StoreId } from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { expect, test } from 'vitest'
import { createStore, digest, joinByToken, syncAll } from './daemon-mesh.ts'
import type { DaemonProcess } from './daemon-process.ts'
import { type DaemonsOnHosts, describeOnHosts, put, sees } from './daemons-on-hosts.ts'

/** Rounds in all; `LATTICE_CUTS` asks for more, `LATTICE_CUT_SEED` for others. */
const ROUNDS = Number(process.env['LATTICE_CUTS'] ?? 4)
const SEED = process.env['LATTICE_CUT_SEED'] ?? 'cuts'
const TIMEOUT_MS: number = 90_000 + ROUNDS * 45_000
/** Long after the wait of any dial, so that only who never finds the others is over it. */
const CONVERGED_MAX_MS = 60_000
const WRITES = 12
const NODES = [1, 2, 3] as const
/** Acknowledgements are written too, so that two looks may differ; more looks than this mean something is wrong. */
const MAX_LOOKS = 20

class Mesh {
  readonly #on: DaemonsOnHosts
  readonly #daemons = new Map<number, DaemonProcess>()
  /** Every key whose write was acknowledged. */
  readonly acknowledged: string[] = []
  readonly #storeId: StoreId
  #written = 0
  #moved = 100

  private constructor(on: DaemonsOnHosts, daemons: readonly DaemonProcess[], storeId: StoreId) {
    this.#on = on
    this.#storeId = storeId
    for (const [index, daemon] of daemons.entries()) this.#daemons.set(index + 1, daemon)
  }

  static async create(on: DaemonsOnHosts): Promise<Mesh> {
    const daemons = await Promise.all(NODES.map((node) => on.start(node, '--no-relay')))
    const [first, ...others] = daemons
    assert(first !== undefined, 'there is a first node')
    const storeId = await createStore(first)
    for (const other of others) await joinByToken(first, other, storeId)
    return new Mesh(on, daemons, storeId)
  }

  /** Writes to each node that runs, until it has done so or is gone. */
  async write(): Promise<void> {
    await Promise.all(
      [...this.#daemons].map(async ([node, daemon]) => {
        for (let count = 0; count < WRITES; count += 1) {
          this.#written += 1
          const key = `${this.#written}/${node}`
          const isDone = await put(daemon, this.#storeId, key).then(
            () => true,
            () => false,
          )
          if (!isDone) return
          this.acknowledged.push(key)
        }
      }),
    )
  }
  /** In the middle of writing. */
  async kill(...nodes: readonly number[]): Promise<void> {
    const writing = this.write()
    await Promise.all(nodes.map((node) => this.#on.kill(this.#daemon(node))))
    for (const node of nodes) this.#daemons.delete(node)
    await writing
  }
  async restart(): Promise<void> {
    const gone = NODES.filter((node) => !this.#daemons.has(node))
    await Promise.all(gone.map(async (node) => this.#daemons.set(node, await this.#on.start(node, '--no-relay'))))
  }
  async each(nodes: readonly number[], act: 'unplug' | 'plugIn' | 'silence' | 'endSilence'): Promise<void> {
    for (const node of nodes) await this.#on.host(node)[act]()
  }
  async move(...nodes: readonly number[]): Promise<void> {
    for (const node of nodes) {
      this.#moved += 1
      await this.#on.host(node).moveTo(`10.88.0.${this.#moved}`)
      if (this.#moved === 250) this.#moved = 100
    }
  }
  async expectConverged(): Promise<void> {
    const startedAt = performance.now()
    const daemons = NODES.map((node) => this.#daemon(node))
    await Promise.all(daemons.map((daemon) => sees(daemon, this.#storeId, this.acknowledged)))
    expect(performance.now() - startedAt).toBeLessThan(CONVERGED_MAX_MS)
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const digests = await Promise.all(daemons.map((daemon) => digest(daemon, this.#storeId)))
      if (new Set(digests).size === 1) return
      await Promise.all(daemons.map((daemon) => syncAll(daemon, this.#storeId)))
    }
    expect.fail('the daemons hold the same keys and do not come to the same digest')
  }

  #daemon(node: number): DaemonProcess {
    const daemon = this.#daemons.get(node)
    assert(daemon !== undefined, 'the node runs')
    return daemon
  }
}

interface Disturbance {
  readonly name: string
  /** Begins with three nodes connected, and ends with three that can reach each other. */
  readonly run: (mesh: Mesh, victims: readonly [number, number]) => Promise<void>
}

const DISTURBANCES: readonly [Disturbance, ...Disturbance[]] = [
  {
    name: 'a cable is pulled',
    run: async (mesh, [one]) => {
      await mesh.each([one], 'unplug')
      await mesh.write()
      await mesh.each([one], 'plugIn')
    },
  },
  {
    name: 'one is killed while another falls silent',
    run: async (mesh, [one, other]) => {
      await mesh.each([other], 'silence')
      await mesh.kill(one)
      await mesh.restart()
      await mesh.write()
      await mesh.each([other], 'endSilence')
    },
  },
  {
    name: 'all are cut off and get other addresses, and two are killed meanwhile',
    run: async (mesh, [one, other]) => {
      await mesh.each(NODES, 'unplug')
      await mesh.kill(one, other)
      await mesh.move(...NODES)
      await mesh.each(NODES, 'plugIn')
      await mesh.restart()
    },
  },
  {
    name: 'one moves, and its cable is pulled at once',
    run: async (mesh, [one]) => {
      await mesh.move(one)
      await mesh.each([one], 'unplug')
      await mesh.write()
      await mesh.each([one], 'plugIn')
    },
  },
]

function pick(
  random: SeededRandom,
  round: number,
): { readonly disturbance: Disturbance; readonly victims: [number, number] } {
  // Each kind once, then as chance has it.
  const [first] = DISTURBANCES
  const kind = round < DISTURBANCES.length ? round : random.below(DISTURBANCES.length)
  const one = 1 + random.below(NODES.length)
  return {
    disturbance: DISTURBANCES[kind] ?? first,
    victims: [one, 1 + ((one + random.below(NODES.length - 1)) % NODES.length)],
  }
}

describeOnHosts('three daemons', 3, (on) => {
  test(`converge after each of ${ROUNDS} rounds of cuts, moves and kills`, { timeout: TIMEOUT_MS }, async () => {
    const random = createSeededRandom(SEED)
    const mesh = await Mesh.create(on)
    await mesh.write()
    await mesh.expectConverged()
    for (let round = 0; round < ROUNDS; round += 1) {
      const { disturbance, victims } = pick(random, round)
      const startedAt = performance.now()
      await mesh.write()
      await disturbance.run(mesh, victims)
      const healedAt = performance.now()
      await mesh.expectConverged()
      if (process.env['LATTICE_CUTS'] === undefined) continue
      const [tookMs, healedMs] = [performance.now() - startedAt, performance.now() - healedAt].map(Math.round)
      process.stderr.write(
        `round ${round}: ${disturbance.name}, at ${victims.join()}: ${tookMs} ms, converged in ${healedMs} ms\n`,
      )
    }
    expect(mesh.acknowledged.length).toBeGreaterThan(ROUNDS * NODES.length * WRITES)
  })
})
