import { expect, test } from 'vitest'
import { type GlobalOptions, locateNode, type Reach } from './globals.ts'

const GIVEN: GlobalOptions = { color: true, dataDir: '/d' }

test('a node in this process reaches what the options leave it', () => {
  const reached = (options: Partial<GlobalOptions>): Reach | undefined =>
    locateNode({ ...GIVEN, embedded: true, ...options }, {}).embedded
  expect(reached({})).toBe('relays')
  expect(reached({ relay: true })).toBe('relays')
  expect(reached({ relay: false })).toBe('direct')
  expect(reached({ offline: true })).toBe('nobody')
  expect(reached({ offline: true, relay: false })).toBe('nobody')
})

test('a daemon that runs already is not told what it reaches', () => {
  expect(locateNode({ ...GIVEN, relay: true }, {})).toEqual({
    dataDir: '/d',
    socket: '/d/lattice.sock',
    embedded: undefined,
  })
  const refusal = ' goes with --embedded: a daemon is given it as it starts'
  expect(() => locateNode({ ...GIVEN, offline: true }, {})).toThrow(`--offline${refusal}`)
  expect(() => locateNode({ ...GIVEN, relay: false }, {})).toThrow(`--no-relay${refusal}`)
})
