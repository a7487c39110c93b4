/**
 * Rows 6 and 10: set reconciliation, and the index behind it.
 *
 * @module
 */
import { assert, MAX_RUN_LENGTH, toHash } from '@lattice/model'
import { createReconciler, fingerprintOf, type Item, type RangeIndex } from '@lattice/sync'
import { atMost, type Figure, ratioAtMost } from '../figure.ts'
import { createHistory } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, measure, sampleOf } from '../sample.ts'
import { openStoredIndex } from '../stored-index.ts'
import { createDice } from '../world.ts'

const NEW_EACH = 100
const STEP_MS = 37
const ID_BYTES = 32

type Draw = (timestamp: number) => Item

function createDraw(): Draw {
  const dice = createDice(11)
  return (timestamp) => {
    const id = new Uint8Array(ID_BYTES)
    const view = new DataView(id.buffer)
    for (let at = 0; at < ID_BYTES; at += 4) view.setUint32(at, dice(2 ** 32))
    return { timestamp, id: toHash(id) }
  }
}

interface Session {
  readonly roundTrips: number
  readonly bytes: number
  readonly cpuMs: number
}

/** A whole session, both sides in turn. The CPU is that of both. */
function reconcile(own: RangeIndex, other: RangeIndex): Session {
  const before = process.cpuUsage()
  const initiator = createReconciler({ index: own, role: 'initiator', split: 'recent' })
  const responder = createReconciler({ index: other, role: 'responder' })
  let [roundTrips, bytes, found] = [0, 0, 0]
  for (let message: Uint8Array | undefined = initiator.start(); message !== undefined;) {
    const answer = responder.receive(message)
    assert(answer.ok && answer.value.reply !== undefined, 'the responder answers')
    const { reply } = answer.value
    roundTrips += 1
    bytes += message.length + reply.length
    const step = initiator.receive(reply)
    assert(step.ok, 'the initiator goes on')
    found += step.value.have.length + step.value.need.length
    message = step.value.reply
  }
  const { user, system } = process.cpuUsage(before)
  assert(found === 2 * NEW_EACH, 'exactly the difference is found')
  return { roundTrips, bytes, cpuMs: (user + system) / 1000 }
}

/** What the new intentions of both sides take on the wire, closed by a signature each side. */
function payloadBytes(): number {
  const news = createHistory({ runLength: MAX_RUN_LENGTH }).next(NEW_EACH)
  return 2 * news.reduce((sum, { bytes, signature }) => sum + bytes.length + signature.length, 0)
}

async function runReconcile(context: RowContext): Promise<readonly Figure[]> {
  const shared = context.size(1_000_000, 100_000)
  context.progress(`two indexes of ${shared}`)
  const draw = createDraw()
  const common = Array.from({ length: shared }, (_, number) => draw(number * STEP_MS))
  const payload = sampleOf([payloadBytes()])
  const cases = [
    { name: 'new at the end', timestampOf: (number: number) => (shared + number) * STEP_MS },
    { name: 'new all over', timestampOf: (number: number) => Math.floor((number * shared) / NEW_EACH) * STEP_MS },
  ]
  const figures: Figure[] = []
  for (const [position, { name, timestampOf }] of cases.entries()) {
    using own = openStoredIndex(context.folder())
    using other = openStoredIndex(context.folder())
    for (const side of [own, other]) {
      side.insertAll(common)
      side.insertAll(Array.from({ length: NEW_EACH }, (_, number) => draw(timestampOf(number))))
    }
    const sessions: Session[] = []
    const cpu = await measure(() => {
      const session = reconcile(own.index, other.index)
      sessions.push(session)
      return session.cpuMs
    }, context)
    const [session] = sessions
    assert(session !== undefined, 'a session was held')
    // What is new is what was written last; differences all over are shown, for whoever merges old branches.
    const hasGoal = position === 0
    figures.push(
      {
        name: `${name}: round trips`,
        unit: 'rounds',
        ...against({ name: 'two round trips', sample: sampleOf([2]) }, sampleOf([session.roundTrips])),
        goals: hasGoal ? [atMost(2)] : [],
      },
      {
        name: `${name}: bytes with the intentions`,
        unit: 'B',
        ...against(
          { name: `the ${2 * NEW_EACH} new intentions themselves`, sample: payload },
          sampleOf([session.bytes + payload.median]),
        ),
        goals: hasGoal ? [ratioAtMost(2)] : [],
      },
      { name: `${name}: CPU of both sides`, unit: 'ms', ours: cpu, goals: hasGoal ? [atMost(10)] : [] },
    )
  }
  return figures
}

async function runIndex(context: RowContext): Promise<readonly Figure[]> {
  const size = context.size(1_000_000, 100_000)
  const count = context.size(20_000, 5_000)
  context.progress(`an index of ${size}`)
  const draw = createDraw()
  const dice = createDice(5)
  using stored = openStoredIndex(context.folder())
  const { index } = stored
  stored.insertAll(Array.from({ length: size }, (_, number) => draw(number * STEP_MS)))
  let ahead = size
  const timeInserts = (timestampOf: () => number): number => {
    const items = Array.from({ length: count }, () => draw(timestampOf()))
    const startedMs = performance.now()
    stored.insertAll(items)
    return ((performance.now() - startedMs) * 1000) / count
  }
  const atEnd = await measure(() => timeInserts(() => (ahead += 1) * STEP_MS), context)
  const nearEnd = await measure(() => timeInserts(() => (ahead += 1) * STEP_MS - dice(1000 * STEP_MS)), context)
  const anywhere = await measure(() => timeInserts(() => dice(size) * STEP_MS), context)
  const fingerprint = await measure(() => {
    const startedMs = performance.now()
    for (let query = 0; query < count; query += 1) {
      const begin = dice(index.size())
      fingerprintOf(index.accumulate(begin, begin + dice(index.size() - begin)))
    }
    return ((performance.now() - startedMs) * 1000) / count
  }, context)
  const note = 'in SQLite, durable every 2,000 inserts, with 4 MiB of cached nodes'
  return [
    { name: `insert at the end, of ${size}`, unit: 'µs', ours: atEnd, goals: [atMost(10)], note },
    { name: 'insert among the last 1,000', unit: 'µs', ours: nearEnd, goals: [atMost(10)] },
    {
      name: 'insert anywhere',
      unit: 'µs',
      ours: anywhere,
      goals: [],
      note: 'an adversary: nearly every insert reads and writes a leaf of its own; the goal is for what arrives about in order',
    },
    { name: 'fingerprint of any range', unit: 'µs', ours: fingerprint, goals: [atMost(100)] },
  ]
}

export const RECONCILE_ROW: BenchRow = {
  id: '6',
  task: 'Reconciling large sets, 100 new on each side',
  floor: 'two round trips; the new intentions themselves',
  goal: 'at most 2 round trips, twice the payload, 10 ms of CPU',
  run: runReconcile,
}

export const RANGE_INDEX_ROW: BenchRow = {
  id: '10',
  task: 'Inserting into and fingerprinting the range index',
  floor: 'none',
  goal: 'at most 10 µs and 100 µs',
  run: runIndex,
}
