import { type AbortController, createAbortController, isLagged, silentLogger } from '@lattice/model'
import { createManualScheduler, createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import { type Discovery, type DiscoveryEvent, MAX_FOUND_ADDRESSES, MAX_SOUGHT_PEERS } from '@lattice/net-types'
import { discoveryCompliance } from '@lattice/net-types/compliance'
import { describe, expect, test } from 'vitest'
import { createLanDiscovery, MAX_ASK_PAUSE_MS } from './lan-discovery.ts'
import { decodeMessage, encodeAnnouncement, encodeGoodbye, encodeQuery, TTL_S } from './lan-message.ts'
import { PACKETS_PER_SECOND, PACKETS_PER_SOURCE } from './packet-budget.ts'
import { MAX_SOURCES } from './sought-peer.ts'
import { keyOf, runInVirtualTime } from './testing/virtual-time.ts'
import { createWireHub, type WireHub } from './testing/wire-hub.ts'

interface Lan {
  readonly scheduler: ManualScheduler
  readonly hub: WireHub
  readonly open: (index: number) => Discovery
}

function createLan(): Lan {
  const scheduler = createManualScheduler()
  const hub = createWireHub(scheduler)
  return {
    scheduler,
    hub,
    open: (index) =>
      createLanDiscovery({
        id: keyOf(index),
        openWire: hub.open(`10.0.0.${index}`),
        clock: scheduler.clock,
        scheduler,
        random: createSeededRandom(index),
        logger: silentLogger,
      }),
  }
}

/** What a node is told, collected. */
function heardBy(discovery: Discovery): DiscoveryEvent[] {
  const heard: DiscoveryEvent[] = []
  const listen = async (): Promise<void> => {
    for await (const event of discovery.events(createAbortController().signal)) if (!isLagged(event)) heard.push(event)
  }
  listen().catch(() => undefined)
  return heard
}

const search = (): AbortController => createAbortController()
const told = (events: readonly DiscoveryEvent[]): readonly string[] =>
  events.flatMap((event) => (event.kind === 'found' ? event.addresses : []))
const kinds = ({ sent }: WireHub): readonly string[] => sent.map(({ bytes }) => decodeMessage(bytes)?.kind ?? 'nothing')

describe('the discovery on the LAN', () => {
  const { scheduler, open } = createLan()
  const cases = discoveryCompliance({
    open: async (index) => open(index),
    peer: keyOf,
    addresses: (index) => [`iroh:10.0.0.${index}:4433`, `tls:10.0.0.${index}:4434`],
    during: (body) => runInVirtualTime(scheduler, body),
  })
  for (const { name, run } of cases) test(name, run)
})

describe('what a node sends', () => {
  test('is nothing while it is not announced and looks for nobody', async () => {
    const { scheduler, hub, open } = createLan()
    open(0)
    await scheduler.advanceAsync(3_600_000)
    expect(hub.sent).toEqual([])
  })

  test('is asked for at growing intervals while a peer is away, and no more once nobody is looked for', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const away = search()
    node.find(keyOf(1), away.signal)
    await scheduler.advanceAsync(10 * MAX_ASK_PAUSE_MS)
    expect(hub.sent.length).toBeGreaterThan(10)
    expect(hub.sent.length).toBeLessThan(20)
    expect(new Set(kinds(hub))).toEqual(new Set(['query']))
    away.abort(new Error('found'))
    const before = hub.sent.length
    await scheduler.advanceAsync(10 * MAX_ASK_PAUSE_MS)
    expect(hub.sent).toHaveLength(before)
    expect(scheduler.pending()).toBe(0)
  })

  test('names nobody who is looked for', async () => {
    const { scheduler, hub, open } = createLan()
    open(0).find(keyOf(1), search().signal)
    await scheduler.advanceAsync(1_000)
    expect(hub.sent[0]?.bytes).toEqual(encodeQuery(undefined))
  })

  test('answers a flood of questions once a second', async () => {
    const { scheduler, hub, open } = createLan()
    open(0).announce(['iroh:10.0.0.1:1'])
    await scheduler.advanceAsync(10_000)
    const before = hub.sent.length
    for (let at = 0; at < 10_000; at += 1) {
      hub.inject(encodeQuery(undefined), `10.0.1.${at % 250}`)
      await scheduler.advanceAsync(1)
    }
    expect(hub.sent.length - before).toBeGreaterThan(8)
    expect(hub.sent.length - before).toBeLessThanOrEqual(11)
  })

  test('does not answer itself', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    node.announce(['iroh:10.0.0.1:1'])
    await scheduler.advanceAsync(10_000)
    node.find(keyOf(1), search().signal)
    const before = hub.sent.length
    await scheduler.advanceAsync(900)
    expect(kinds(hub).slice(before)).toEqual(['query'])
  })

  test('is said again on other links', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    node.announce(['iroh:10.0.0.1:1'])
    node.find(keyOf(1), search().signal)
    await scheduler.advanceAsync(30_000)
    const before = hub.sent.length
    hub.changeLinks()
    await scheduler.advanceAsync(900)
    expect(kinds(hub).slice(before)).toEqual(expect.arrayContaining(['query', 'announcement']))
  })

  test('leaves no task behind when it closes, and ends with a goodbye', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    node.announce(['iroh:10.0.0.1:1'])
    node.find(keyOf(1), search().signal)
    hub.inject(encodeAnnouncement(keyOf(1), ['x']), '10.0.0.1')
    await scheduler.advanceAsync(2_000)
    await node.close()
    expect(hub.sent.at(-1)?.bytes).toEqual(encodeGoodbye(keyOf(0)))
    // The last packet on its way.
    await scheduler.advanceAsync(1)
    expect(scheduler.pending()).toBe(0)
  })
})

describe('what is told of a peer', () => {
  test('ends when it has not been heard of for as long as it said', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    node.find(keyOf(1), search().signal)
    hub.inject(encodeAnnouncement(keyOf(1), ['x']), '10.0.0.1')
    await scheduler.advanceAsync(TTL_S * 1_000 - 1)
    expect(heard.map(({ kind }) => kind)).toEqual(['found'])
    await scheduler.advanceAsync(10)
    expect(heard.map(({ kind }) => kind)).toEqual(['found', 'gone'])
  })

  test('is told again when it answers again, and not for the same packet twice', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    node.find(keyOf(1), search().signal)
    for (let copy = 0; copy < 5; copy += 1) hub.inject(encodeAnnouncement(keyOf(1), ['x']), '10.0.0.1')
    await scheduler.advanceAsync(10)
    expect(heard).toHaveLength(1)
    await scheduler.advanceAsync(1_000)
    hub.inject(encodeAnnouncement(keyOf(1), ['x']), '10.0.0.1')
    await scheduler.advanceAsync(10)
    expect(heard).toHaveLength(2)
  })

  test('that it is on this host is believed of this host alone', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    node.find(keyOf(1), search().signal)
    const inward = [
      'iroh:127.0.0.1:22',
      'iroh:0.0.0.0:22',
      'iroh:[::1]:22',
      'iroh:[::]:22',
      'iroh:[::ffff:127.0.0.1]:22',
      'iroh:[0:0:0:0:0:0:0:1]:22',
      'iroh:https://localhost:80/',
    ]
    hub.inject(encodeAnnouncement(keyOf(1), inward), '10.0.0.9')
    hub.inject(encodeAnnouncement(keyOf(1), [...inward, 'iroh:10.127.0.0:1', 'iroh:[fe80::1]:1']), '10.0.0.8')
    await scheduler.advanceAsync(10)
    expect(told(heard)).toEqual(['iroh:10.127.0.0:1', 'iroh:[fe80::1]:1'])
    hub.inject(encodeAnnouncement(keyOf(1), ['iroh:127.0.0.1:22']), '127.0.0.1')
    await scheduler.advanceAsync(10)
    expect(told(heard)).toContain('iroh:127.0.0.1:22')
  })
})

describe('on a hostile LAN', () => {
  test('one that forges in the name of a peer does not push out what the peer says', async () => {
    const { scheduler, hub, open } = createLan()
    const [node, peer] = [open(0), open(1)]
    const heard = heardBy(node)
    peer.announce(['iroh:10.0.0.1:4433'])
    node.find(keyOf(1), search().signal)
    await scheduler.advanceAsync(2_000)
    for (let at = 0; at < 5_000; at += 1) {
      const forged = Array.from({ length: MAX_FOUND_ADDRESSES }, (_, place) => `iroh:10.9.${at % 250}.${place}:1`)
      hub.inject(encodeAnnouncement(keyOf(1), forged), '10.0.0.66')
      await scheduler.advanceAsync(5)
    }
    const last = heard.at(-1)
    expect(last).toMatchObject({ kind: 'found', addresses: expect.arrayContaining(['iroh:10.0.0.1:4433']) as unknown })
    hub.inject(encodeGoodbye(keyOf(1)), '10.0.0.66')
    await scheduler.advanceAsync(10)
    expect(heard.filter(({ kind }) => kind === 'gone')).toEqual([])
  })

  test('thousands of forged senders cost the places of a few', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    node.find(keyOf(1), search().signal)
    for (let at = 0; at < 2_000; at += 1) {
      hub.inject(encodeAnnouncement(keyOf(1), [`iroh:10.9.0.0:${at}`]), `10.0.${at >> 8}.${at & 255}`)
      await scheduler.advanceAsync(3)
    }
    for (const event of heard) {
      if (event.kind === 'found') expect(event.addresses.length).toBeLessThanOrEqual(MAX_SOURCES)
    }
  })

  test('what is over the budget of a sender, or of all, is dropped unread, and the next second is another', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    for (let index = 1; index < 250; index += 1) node.find(keyOf(index), search().signal)
    // The questions of the searches have passed.
    await scheduler.advanceAsync(10_000)
    for (let index = 1; index < 250; index += 1) hub.inject(encodeAnnouncement(keyOf(index), ['x']), '10.0.0.66')
    await scheduler.advanceAsync(2)
    expect(heard.length).toBeLessThanOrEqual(PACKETS_PER_SOURCE)
    expect(heard.length).toBeGreaterThan(PACKETS_PER_SOURCE - 5)
    for (let at = 0; at < 2 * PACKETS_PER_SECOND; at += 1) hub.inject(new Uint8Array(3), `10.1.${at >> 8}.${at & 255}`)
    hub.inject(encodeAnnouncement(keyOf(249), ['x']), '10.0.0.77')
    await scheduler.advanceAsync(2)
    const before = heard.length
    await scheduler.advanceAsync(1_000)
    hub.inject(encodeAnnouncement(keyOf(249), ['x']), '10.0.0.77')
    await scheduler.advanceAsync(2)
    expect(heard.length).toBe(before + 1)
  })

  test('names of nobody who is looked for leave nothing behind', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    node.find(keyOf(1), search().signal)
    await scheduler.advanceAsync(1_000)
    const pending = scheduler.pending()
    for (let index = 2; index < 250; index += 1) hub.inject(encodeAnnouncement(keyOf(index), ['x']), `10.0.0.${index}`)
    await scheduler.advanceAsync(10)
    expect(heard).toEqual([])
    expect(scheduler.pending()).toBe(pending)
  })

  test('a forged record of this node itself changes nothing', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    node.announce(['iroh:10.0.0.1:1'])
    await scheduler.advanceAsync(5_000)
    const before = hub.sent.length
    hub.inject(encodeAnnouncement(keyOf(0), ['iroh:10.9.9.9:1']), '10.0.0.66')
    hub.inject(encodeGoodbye(keyOf(0)), '10.0.0.66')
    await scheduler.advanceAsync(5_000)
    expect(hub.sent).toHaveLength(before)
  })

  test('more peers than are looked for are not', async () => {
    const { scheduler, hub, open } = createLan()
    const node = open(0)
    const heard = heardBy(node)
    const { signal } = search()
    const many = (at: number): ReturnType<typeof keyOf> => {
      const key = keyOf(9)
      key.set([at >> 8, at & 255, 1])
      return key
    }
    for (let at = 0; at <= MAX_SOUGHT_PEERS; at += 1) node.find(many(at), signal)
    hub.inject(encodeAnnouncement(many(MAX_SOUGHT_PEERS), ['x']), '10.0.0.2')
    hub.inject(encodeAnnouncement(many(MAX_SOUGHT_PEERS - 1), ['x']), '10.0.0.2')
    await scheduler.advanceAsync(10)
    expect(heard).toHaveLength(1)
  })
})
