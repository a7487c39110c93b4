import { create, type DescField, type MessageInitShape } from '@bufbuild/protobuf'
import { kv, log } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import type { DisplayFormat } from './bytes-text.ts'
import { eventText } from './event-text.ts'
import { messageToText } from './message-text.ts'
import { PLAIN_STYLE } from './style.ts'

const HEX = new Set(['id', 'author', 'cursor'])
const formatOf = (field: DescField): DisplayFormat | undefined => {
  if (HEX.has(field.name)) return 'hex'
  return field.name === 'wall' ? 'timestamp' : undefined
}
const options = { style: PLAIN_STYLE, full: false, width: undefined, formatOf }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const id = new Uint8Array(32).fill(0xab)
const cursor = new Uint8Array(32).fill(0x11)
const written = { id, author: id, wall: 1_700_000_000_000n, counter: 3, content: bytes('two\nlines') }

describe('an event', () => {
  const watched = (event: NonNullable<MessageInitShape<typeof kv.WatchEventSchema>['event']>, full = false): string =>
    eventText(kv.WatchEventSchema, create(kv.WatchEventSchema, { event, cursor }), { ...options, full })
  const followed = (full: boolean): string => {
    const event = { case: 'entry', value: written } as const
    return eventText(log.FollowEventSchema, create(log.FollowEventSchema, { event, cursor }), { ...options, full })
  }

  test('says what happened, and where it stands only when all is wanted', () => {
    const put = { case: 'put', value: { key: bytes('k'), value: bytes('v') } } as const
    expect(watched(put)).toBe('put key=k value=v')
    expect(watched(put, true)).toBe(`put key=k value=v cursor=${'11'.repeat(32)}`)
    expect(watched({ case: 'deleted', value: { key: bytes('k') } })).toBe('deleted key=k')
    expect(watched({ case: 'lagged', value: 0n })).toBe('lagged=0')
    expect(watched({ case: 'caughtUp', value: {} })).toBe('caught_up')
  })

  test('of what somebody wrote begins with when and who', () => {
    expect(followed(false)).toBe(String.raw`2023-11-14 22:13:20Z  abababababab  two\nlines`)
    expect(followed(true)).toContain(`id=${'ab'.repeat(32)}`)
  })
})

describe('a table of writes', () => {
  test('tells what is absent from what is empty, and calls the time by its name', () => {
    const entries = [written, { ...written, value: bytes('') }, { ...written, value: bytes('v') }]
    const answer = create(kv.HistoryResponseSchema, { entries })
    const lines = messageToText(kv.HistoryResponseSchema, answer, options).split('\n')
    expect(lines[0]).toMatch(/^ID +AUTHOR +TIME +COUNTER +VALUE$/u)
    expect(lines.slice(1).map((line) => line.replace(/^.* 3 */u, ''))).toEqual(['–', '', 'v'])
  })
})
