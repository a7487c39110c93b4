import { describe, expect, test } from 'vitest'
import { converse, type ConversationOptions } from './drive.ts'
import { type Protocol, PROTOCOLS } from './protocols.ts'

function run({ session, joinHandler }: Protocol, options: ConversationOptions = {}) {
  const { a, b } = session()
  return converse(a, b, { ...options, joinHandler, end: true })
}

describe.each(Object.entries(PROTOCOLS))('%s', (_, make) => {
  test('ends well on both sides when nothing is cut', async () => {
    const protocol = await make()
    const { a, b } = await run(protocol)
    expect([a.failure, b.failure]).toEqual([undefined, undefined])
    expect(protocol.isDone()).toBe(true)
  })

  test('cut after any frame, both ways or one, loses nothing: each side ends, and the next session finishes', async () => {
    const { delivered, a: whole } = await run(await make())
    expect(delivered).toBeGreaterThanOrEqual(2)
    const cuts: ConversationOptions[] = []
    for (let frames = 0; frames < delivered; frames += 1) {
      cuts.push({ frames })
      for (const from of ['a', 'b'] as const) cuts.push({ framesOf: { from, frames } })
    }
    expect(whole.failure).toBeUndefined()
    for (const cut of cuts) {
      const protocol = await make()
      const before = protocol.held()
      const { a, b } = await run(protocol, cut)
      for (const side of [a, b]) {
        // Whoever is not through has lost its peer, by that name.
        if (side.failure !== undefined) expect(side.failure).toMatchObject({ kind: 'lost' })
      }
      expect(protocol.held()).toBeGreaterThanOrEqual(before)
      const next = await run(protocol)
      expect({ cut, failures: [next.a.failure, next.b.failure] }).toEqual({ cut, failures: [undefined, undefined] })
      expect({ cut, done: protocol.isDone() }).toEqual({ cut, done: true })
    }
  })
})
