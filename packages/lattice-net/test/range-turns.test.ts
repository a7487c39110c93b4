/** What one frame of a comparison makes a node do in one turn of the event loop, counted: questions to its range index. */
import { concatBytes, type IntentionId, toHash, toIntentionId } from '@lattice/model'
import { boundAt, createMemoryRangeIndex, createReconciler, type Item, type RangeIndex } from '@lattice/sync'
import { beforeAll, describe, expect, test } from 'vitest'
import type { FrameInit } from '../src/frame.ts'
import { MAX_RECONCILE_FOUND, READ_SLICE_IDS, RECONCILE_TURN_WORK, WANT_IDS_MAX } from '../src/limits.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { helloFrame } from '../src/reconcile.ts'
import type { SessionStore } from '../src/session-call.ts'
import type { Effects, SessionMachine } from '../src/session.ts'
import { toFrame } from './drive.ts'
import { createPair } from './pair.ts'

const ITEMS = 20_000
const item = (number: number, salt = 0): Item => {
  const id = new Uint8Array(32).fill(salt)
  new DataView(id.buffer).setUint32(0, Math.imul(number + 1, 0x9e3779b1) >>> 0)
  return { timestamp: number * 10, id: toHash(id) }
}
const items = Array.from({ length: ITEMS }, (_, number) => item(number))

let view: SessionStore
beforeAll(async () => {
  view = (await createPair()).viewOfA
})

interface Watched {
  readonly store: SessionStore
  /** Questions to the index, and the same for each 32 items, since the last look; ids looked up. */
  readonly take: () => { readonly asked: number; readonly lookedUp: number }
  allowed: boolean
}

/** A store whose index is counted, and which wants whatever there is. */
function watch(index: RangeIndex = createMemoryRangeIndex(items)): Watched {
  let [asked, lookedUp] = [0, 0]
  const count = <T>(result: T): T => {
    asked += 1
    return result
  }
  const counted: RangeIndex = {
    size: index.size,
    lowerBound: (bound) => count(index.lowerBound(bound)),
    at: (rank) => count(index.at(rank)),
    accumulate: (begin, end) => count(index.accumulate(begin, end)),
    *items(begin, end) {
      for (const each of index.items(begin, end)) {
        asked += 1 / 32
        yield each
      }
    },
  }
  const watched: Watched = {
    allowed: true,
    store: {
      ...view,
      rangeIndex: () => counted,
      chainTips: () => undefined,
      allowed: () => watched.allowed,
      wanted: (ids) => {
        lookedUp += ids.length
        return ids
      },
    },
    take: () => {
      const taken = { asked, lookedUp }
      asked = 0
      lookedUp = 0
      return taken
    },
  }
  return watched
}

/** Grants turns until there is something else to do; answers what the last one came to, and the most of any. */
function turnsOf(machine: SessionMachine<unknown>, effects: Effects<unknown>, { take }: Watched) {
  const most = { asked: 0, lookedUp: 0 }
  const sent: string[] = []
  let turns = 0
  for (let last = effects; ; last = machine.answered({ kind: 'turned' })) {
    const { asked, lookedUp } = take()
    most.asked = Math.max(most.asked, asked)
    most.lookedUp = Math.max(most.lookedUp, lookedUp)
    turns += 1
    for (const effect of last) if (effect.kind === 'send') sent.push(effect.frame.case)
    const isWaiting = last.some(
      (effect) => (effect.kind === 'call' || effect.kind === 'pull') && effect.call.kind === 'next_turn',
    )
    if (!isWaiting) return { last, most, turns, sent }
  }
}

/** Ranges that cut the items in `parts`, each a lie. */
function lies(parts: number): Uint8Array {
  const bytes: number[] = [0x61]
  let before = 0
  for (let part = 1; part < parts; part += 1) {
    const { timestamp } = boundAt(item(Math.floor((ITEMS * part) / parts)))
    bytes.push(...varint(timestamp - before + 1), 0, 1, ...Array.from({ length: 16 }, () => 7))
    before = timestamp
  }
  return Uint8Array.from([...bytes, 0, 0, 1, ...Array.from({ length: 16 }, () => 7)])
}

function varint(value: number): readonly number[] {
  return value < 128 ? [value] : [...varint(Math.floor(value / 128)).map((digit) => digit | 128), value % 128]
}

function hello(message?: Uint8Array): FrameInit {
  const digest = { ...view.digest(), witnessCount: 1_000_000, fingerprint: toHash(new Uint8Array(32).fill(9)) }
  return helloFrame(view.id, digest, { message })
}
const reconcile = (message: Uint8Array): FrameInit => ({ case: 'reconcile', value: { message } })

/** One range that is answered by sixteen finer ones. */
const ONE_RANGE = 52

function responderAt(watched: Watched): SessionMachine<unknown> {
  return createReconcileResponder({ resolve: () => watched.store })
}

function initiatorAt(watched: Watched): SessionMachine<unknown> {
  const machine = createReconcileInitiator(watched.store)
  machine.start()
  machine.receive(toFrame(hello()))
  watched.take()
  return machine
}

describe('a turn of the event loop', () => {
  test.for([100, 450])('answers a part of %i lying ranges, on either side', (parts) => {
    for (const side of ['responder', 'initiator']) {
      const watched = watch()
      const machine = side === 'responder' ? responderAt(watched) : initiatorAt(watched)
      const frame = side === 'responder' ? hello(lies(parts)) : reconcile(lies(parts))
      const { most, turns, sent } = turnsOf(machine, machine.receive(toFrame(frame)), watched)
      expect(most.asked).toBeLessThanOrEqual(RECONCILE_TURN_WORK + ONE_RANGE)
      expect(turns).toBeGreaterThan((parts * 16) / RECONCILE_TURN_WORK)
      expect(sent.filter((kind) => kind === 'reconcile')).toHaveLength(1)
    }
  })

  test('reports a part of a long list, and walks a part of the index for what is sent', () => {
    const watched = watch()
    const machine = initiatorAt(watched)
    const { most, sent } = turnsOf(
      machine,
      machine.receive(toFrame(reconcile(Uint8Array.of(0x61, 0, 0, 2, 0)))),
      watched,
    )
    expect(most.asked).toBeLessThanOrEqual(RECONCILE_TURN_WORK + ONE_RANGE)
    expect(sent).toEqual(['want'])
  })

  test('looks up a part of what a peer claims to have, and asks for all of it in full frames', () => {
    const watched = watch(createMemoryRangeIndex([]))
    const machine = initiatorAt(watched)
    const frames: string[] = []
    let most = 0
    for (let message = 0; message < 34; message += 1) {
      const ids = Array.from({ length: 4000 }, (_, number) => item(number, message + 1).id)
      // Another range to talk about, so that there is a next round.
      const more = concatBytes(
        Uint8Array.of(0x61, 2, 0, 1, ...new Uint8Array(16).fill(7)),
        Uint8Array.of(0, 0, 2, ...varint(ids.length)),
        ...ids,
      )
      const step = turnsOf(machine, machine.receive(toFrame(reconcile(more))), watched)
      frames.push(...step.sent)
      most = Math.max(most, step.most.lookedUp)
      if (frames.includes('want')) break
    }
    expect(most).toBe(READ_SLICE_IDS)
    expect(frames.filter((kind) => kind === 'want')).toHaveLength(Math.ceil(131_072 / WANT_IDS_MAX) + 1)
  })

  test('walks a part of the index for ids that nobody has', () => {
    const watched = watch()
    const machine = responderAt(watched)
    const opening = createReconciler({ index: createMemoryRangeIndex([]), role: 'initiator' }).start()
    turnsOf(machine, machine.receive(toFrame(hello(opening))), watched)
    const ids: readonly IntentionId[] = Array.from({ length: 3000 }, (_, number) => toIntentionId(item(number, 5).id))
    machine.receive(toFrame({ case: 'want', value: { ids: [...ids] } }))
    const { most, turns, last } = turnsOf(
      machine,
      machine.receive(toFrame({ case: 'want', value: { ids: [] } })),
      watched,
    )
    expect(most.asked).toBeLessThanOrEqual(RECONCILE_TURN_WORK)
    expect(turns).toBeGreaterThan(4)
    expect(last).toMatchObject([{ kind: 'send', frame: { case: 'intentions', value: { last: true } } }])
  })
})

describe('between two turns', () => {
  test('a frame is one too many: nothing is due before the answer', () => {
    const early: readonly FrameInit[] = [reconcile(lies(3)), { case: 'want', value: { ids: [] } }]
    for (const frame of early) {
      const watched = watch()
      const machine = responderAt(watched)
      machine.receive(toFrame(hello(lies(100))))
      expect(machine.receive(toFrame(frame))).toMatchObject([{ kind: 'fail', failure: { kind: 'violation' } }])
    }
    const machine = initiatorAt(watch())
    machine.receive(toFrame(reconcile(lies(100))))
    expect(machine.receive(toFrame(reconcile(lies(3))))).toMatchObject([
      { kind: 'fail', failure: { why: 'reconcile_before_the_answer' } },
    ])
  })

  test('a peer that may not any more is told of no store', () => {
    for (const side of ['responder', 'initiator']) {
      const watched = watch()
      const machine = side === 'responder' ? responderAt(watched) : initiatorAt(watched)
      machine.receive(toFrame(side === 'responder' ? hello(lies(100)) : reconcile(lies(100))))
      watched.allowed = false
      expect(machine.answered({ kind: 'turned' })).toMatchObject([
        { kind: 'fail', failure: { kind: 'refuse', message: 'no such store' } },
      ])
    }
  })
})

test('a peer that has the same own ids found again and again is at its bound', () => {
  const watched = watch()
  const machine = initiatorAt(watched)
  // Nothing where there are items, and a lie where there are none: so the session goes on, whatever was said.
  const again = Uint8Array.from([
    0x61,
    ...varint(ITEMS * 10 + 1),
    0,
    2,
    0,
    0,
    0,
    1,
    ...Array.from({ length: 16 }, () => 7),
  ])
  let found = 0
  for (;;) {
    const { last } = turnsOf(machine, machine.receive(toFrame(reconcile(again))), watched)
    if (last.some(({ kind }) => kind === 'fail')) {
      expect(last).toMatchObject([{ failure: { why: 'reconcile_more_than_a_session_takes' } }])
      break
    }
    found += ITEMS
    expect(found).toBeLessThanOrEqual(MAX_RECONCILE_FOUND)
  }
  expect(found).toBeGreaterThan(MAX_RECONCILE_FOUND - 2 * ITEMS)
})
