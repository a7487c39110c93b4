import { describe, expect, test } from 'vitest'
import { type Admission, createAcceptGate, sourceOf } from './accept-gate.ts'
import { KEPT_CONNECTIONS, MAX_CONNECTIONS, MAX_HANDSHAKES, MAX_HANDSHAKES_PER_SOURCE } from './connection-limits.ts'

describe('the gate of a transport', () => {
  const others = function* (): Generator<string> {
    for (let index = 0; ; index += 1) yield `192.0.2.${index}`
  }
  const enterAll = (enter: () => Admission | undefined, count: number): readonly (Admission | undefined)[] =>
    Array.from({ length: count }, enter)

  test('has room for handshakes in all, and for a share of them from each place', () => {
    const gate = createAcceptGate({ outgoing: () => 0 })
    const entered = enterAll(() => gate.enter('a'), MAX_HANDSHAKES_PER_SOURCE)
    expect(entered).not.toContain(undefined)
    expect(gate.enter('a')).toBeUndefined()
    const sources = others()
    const rest = enterAll(() => gate.enter(sources.next().value), MAX_HANDSHAKES - MAX_HANDSHAKES_PER_SOURCE)
    expect(rest).not.toContain(undefined)
    expect(gate.enter('b')).toBeUndefined()
    expect(gate.enter(undefined)).toBeUndefined()
    entered[0]?.leave()
    entered[0]?.leave()
    expect(gate.handshakes()).toBe(MAX_HANDSHAKES - 1)
    expect(gate.enter('a')).toBeDefined()
    expect(gate.enter('a')).toBeUndefined()
  })

  test('has the handshake longest under way make room where many places took all there is', () => {
    const gate = createAcceptGate({ outgoing: () => 0 })
    const sources = others()
    const given: number[] = []
    const entered = Array.from({ length: MAX_HANDSHAKES }, (_, index) =>
      gate.enter(sources.next().value, () => given.push(index)),
    )
    entered[0]?.connected()
    entered[1]?.leave()
    for (let count = 0; count < 4; count += 1) expect(gate.enter(sources.next().value, () => undefined)).toBeDefined()
    expect([given, gate.handshakes()]).toEqual([[2, 3], MAX_HANDSHAKES])
    // It has left already.
    entered[2]?.leave()
    expect(gate.handshakes()).toBe(MAX_HANDSHAKES)
  })

  test('counts whoever is not known for certain against nobody', () => {
    const gate = createAcceptGate({ outgoing: () => 0 })
    expect(enterAll(() => gate.enter(undefined), MAX_HANDSHAKES - 1)).not.toContain(undefined)
    expect(gate.enter('a')).toBeDefined()
  })

  test('has room for more connections than are kept, those made here among them, and for a share from each place', () => {
    let outgoing = KEPT_CONNECTIONS
    const gate = createAcceptGate({ outgoing: () => outgoing, connectionsPerSource: 2 })
    const sources = others()
    const first = enterAll(() => gate.enter('a'), 2)
    for (const each of first) each?.connected()
    expect(gate.enter('a')).toBeUndefined()
    for (let count = 2; count < MAX_CONNECTIONS - KEPT_CONNECTIONS; count += 1) {
      const admission = gate.enter(sources.next().value)
      expect(admission).toBeDefined()
      admission?.connected()
    }
    expect([gate.isFull(), gate.handshakes(), gate.enter('b')]).toEqual([true, 0, undefined])
    outgoing -= 1
    expect([gate.isFull(), gate.enter('a')]).toEqual([false, undefined])
    expect(gate.enter('b')).toBeDefined()
  })
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
])('connections of %s count against %s', (ip, source) => {
  expect(sourceOf(ip)).toBe(source)
})
