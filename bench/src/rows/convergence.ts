/**
 * Row 14: how soon whole nodes agree, and what that takes: one write, many at once, and two halves that meet again.
 *
 * The nodes are complete, with databases of their own; time and the network are simulated, so that the figures are those of
 * the protocols whatever the machine. A reception counts as a duplicate when the node had the intention, its own included.
 *
 * @module
 */
import { openKv } from '@lattice/kvstore'
import { assert, idKey, type IdKey, intentionId, type StoreId } from '@lattice/model'
import { createFrameDecoder, type Frame } from '@lattice/net'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { createSimMesh, type SimMesh } from '@lattice/testkit'
import { atMost, type Figure, type Goal, type Unit } from '../figure.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { sampleOf } from '../sample.ts'
import { inMemory, LATENCY_MS, SETTLE_MS, shareInTurn } from '../whole-nodes.ts'
import { crypto } from '../world.ts'

const WRITES = 100
const WRITERS = 10
/** Longer than silence is borne: each half has given the other up. */
const APART_MS = 60_000

/** Receptions of intentions by all nodes. */
interface Receptions {
  total: number
  duplicates: number
}

interface Cost {
  readonly seconds: number
  readonly messages: number
  readonly bytes: number
  readonly received: number
  readonly duplicates: number
}

function intentionsOf(frame: Frame): readonly { readonly intention: Uint8Array }[] {
  return frame.case === 'intentions' || frame.case === 'push' ? frame.value.intentions : []
}

/** Counts what a node takes from the network. */
function watched(transport: Transport, receptions: Receptions): Transport {
  const seen = new Set<IdKey>()
  const count = (frame: Frame): void => {
    for (const { intention } of intentionsOf(frame)) {
      const key = idKey(intentionId(crypto, intention))
      receptions.total += 1
      if (seen.has(key)) receptions.duplicates += 1
      seen.add(key)
    }
  }
  const note = (frame: Frame | undefined): void => {
    // Its own come back as duplicates, too.
    if (frame !== undefined)
      for (const { intention } of intentionsOf(frame)) seen.add(idKey(intentionId(crypto, intention)))
  }
  const watchStream = (stream: BiStream): BiStream => {
    const incoming = createFrameDecoder()
    const outgoing = createFrameDecoder()
    return {
      ...stream,
      read: async () => {
        const bytes = await stream.read()
        if (bytes !== undefined) drain(incoming, bytes, count)
        return bytes
      },
      write: async (bytes) => {
        drain(outgoing, bytes, note)
        await stream.write(bytes)
      },
    }
  }
  const watchConnection = (connection: Connection): Connection => ({
    ...connection,
    peer: connection.peer,
    open: async () => watchStream(await connection.open()),
    streams: mapped(connection.streams, watchStream),
  })
  return {
    ...transport,
    incoming: mapped(transport.incoming, watchConnection),
    connect: async (peer, options) => watchConnection(await transport.connect(peer, options)),
  }
}

function drain(decoder: ReturnType<typeof createFrameDecoder>, bytes: Uint8Array, take: (frame: Frame) => void): void {
  decoder.push(bytes)
  for (;;) {
    const next = decoder.next()
    if (!next.ok || next.value === undefined) return
    take(next.value)
  }
}

async function* mapped<T>(items: AsyncIterable<T>, map: (item: T) => T): AsyncGenerator<T, void, undefined> {
  for await (const item of items) yield map(item)
}

interface Trial {
  readonly mesh: SimMesh
  readonly id: StoreId
  readonly receptions: Receptions
}

/** What something takes until all nodes hold and show the same; time and traffic of everything, background included. */
async function costOf({ mesh, id, receptions }: Trial, work: () => Promise<void> | void): Promise<Cost> {
  const { clock } = mesh.time.scheduler
  const startedMs = clock.monotonicMs()
  const before = { ...mesh.network.traffic(), ...receptions }
  await work()
  await mesh.converge(id)
  const after = mesh.network.traffic()
  return {
    seconds: (clock.monotonicMs() - startedMs) / 1000,
    messages: after.messages - before.messages,
    bytes: after.bytes - before.bytes,
    received: receptions.total - before.total,
    duplicates: receptions.duplicates - before.duplicates,
  }
}

const put = ({ mesh, id }: Trial, index: number, key: string): Promise<unknown> =>
  openKv(mesh.store(index, id)).put(key, 'x'.repeat(100))

async function burst(trial: Trial, nodes: number): Promise<void> {
  const writes = Array.from({ length: WRITES }, (_, turn) => {
    const writer = (turn % WRITERS) * Math.floor(nodes / WRITERS)
    return put(trial, writer, `burst ${turn}`)
  })
  await trial.mesh.complete(Promise.all(writes))
}

async function apart({ mesh, id }: Trial, nodes: number): Promise<void> {
  const all = Array.from({ length: nodes }, (_, index) => index)
  const [left, right] = [all.slice(0, nodes / 2), all.slice(nodes / 2)]
  mesh.partition(left, right)
  await mesh.time.pass(APART_MS)
  for (const [half, group] of [left, right].entries()) {
    const writer = group[0]
    assert(writer !== undefined, 'each half has a node')
    for (let turn = 0; turn < WRITES / 2; turn += 1)
      await mesh.complete(put({ mesh, id, receptions: NONE }, writer, `${half} ${turn}`))
    await mesh.converge(id, group)
  }
}

const NONE: Receptions = { total: 0, duplicates: 0 }

function figuresOf(name: string, cost: Cost, goals: readonly Goal[]): readonly Figure[] {
  const figure = (what: string, unit: Unit, value: number): Figure => ({
    name: `${name}: ${what}`,
    unit,
    ours: sampleOf([value]),
    goals: [],
  })
  return [
    { ...figure('virtual time to convergence', 's', cost.seconds), goals },
    figure('messages', 'sent', cost.messages),
    figure('bytes', 'B', cost.bytes),
    figure('intentions received, by all', 'sent', cost.received),
    figure('of them duplicates', 'sent', cost.duplicates),
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const nodes = context.size(50, 10)
  const receptions: Receptions = { total: 0, duplicates: 0 }
  context.progress(`${nodes} nodes join one store`)
  await using mesh = await createSimMesh({
    seed: 'convergence',
    nodes,
    startNodes: 1,
    within: inMemory(context),
    latencyMs: LATENCY_MS,
    wrapTransport: ({ transport }) => watched(transport, receptions),
  })
  const id = await shareInTurn(mesh)
  context.progress(`${nodes} nodes meet`)
  await mesh.converge(id)
  await mesh.time.pass(SETTLE_MS)
  const trial: Trial = { mesh, id, receptions }
  context.progress('one write')
  const one = await costOf(trial, async () => void (await mesh.complete(put(trial, nodes - 1, 'one'))))
  await mesh.time.pass(SETTLE_MS)
  context.progress(`${WRITES} writes by ${WRITERS} nodes`)
  const many = await costOf(trial, () => burst(trial, nodes))
  await mesh.time.pass(SETTLE_MS)
  context.progress('two halves apart')
  await apart(trial, nodes)
  const healed = await costOf(trial, () => mesh.heal())
  return [
    ...figuresOf(`one write, ${nodes} nodes`, one, [atMost(3)]),
    ...figuresOf(`${WRITES} writes by ${WRITERS} at once`, many, [atMost(5)]),
    ...figuresOf(`two halves of ${WRITES / 2} writes each, from healing on`, healed, [atMost(30)]),
  ]
}

export const CONVERGENCE_ROW: BenchRow = {
  id: '14',
  task: 'Convergence of whole nodes, in virtual time',
  floor: 'none',
  goal: 'one write everywhere within 3 s of virtual time, a burst within 5 s, two halves within 30 s of meeting again',
  run,
}
