/**
 * `--offline`, `--no-relay` and `--no-lan` are kept to the letter: hosts whose every packet is counted, and one of them is
 * the router and the resolver of the others, so that whatever is meant for the world outside comes to it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createStore, joinByToken } from './daemon-mesh.ts'
import { describeOnHosts, put, sees } from './daemons-on-hosts.ts'
import { countersOf, socketsOf } from './host-counters.ts'
import { type Router, startRouter } from './router.ts'

/** A daemon or two are started by each test, on machines with few cores. */
const SLOW_MS = 60_000
/** Of multicast DNS, as the system lists it. */
const MDNS_PORT = ':14E9'

const kindsOf = (lines: readonly string[]): ReadonlySet<string> =>
  new Set(lines.map((line) => line.split(' ')[0] ?? ''))
/** What the QUIC endpoint says to the router of its own LAN, which its binding gives no way to turn off. */
const TO_THE_ROUTER = ['ssdp', 'portmap']

describeOnHosts('what leaves a host', 3, ({ host, start, kill }) => {
  let started: Router | undefined
  const router = (): Router => {
    if (started === undefined) throw new Error('the router was not started')
    return started
  }

  beforeAll(async () => {
    for (const number of [1, 2]) await host(number).useGateway(host(3))
    started = await startRouter(host(3), host(2))
  }, SLOW_MS)
  afterAll(() => started?.close())

  /** All that reached the router meanwhile, each packet accounted for. */
  const reachedRouter = async (body: () => Promise<void>): Promise<readonly string[]> => {
    await router().heard()
    const before = await countersOf(host(3))
    await body()
    const heard = await router().heard()
    const after = await countersOf(host(3))
    expect(after.received - before.received).toBe(heard.length)
    return heard
  }

  test('offline is nothing, by no socket', { timeout: SLOW_MS }, async () => {
    const before = await countersOf(host(1))
    const daemon = await start(1, '--offline')
    const storeId = await createStore(daemon)
    await put(daemon, storeId, 'key')
    const { token } = await daemon.backend.store.invite({ storeId })
    expect(token).not.toBe('')
    expect(await socketsOf(host(1))).toEqual([])
    await daemon.end('SIGTERM')
    expect((await countersOf(host(1))).sent).toBe(before.sent)
  })

  test('without relays and the LAN is for the peer', { timeout: SLOW_MS }, async () => {
    const heard = await reachedRouter(async () => {
      const flags = ['--no-relay', '--no-lan']
      const [a, b] = await Promise.all([start(1, ...flags), start(2, ...flags)])
      const storeId = await createStore(a)
      await joinByToken(a, b, storeId)
      await put(b, storeId, 'key')
      await sees(a, storeId, ['key'])
      const sockets = [...(await socketsOf(host(1))), ...(await socketsOf(host(2)))]
      expect(sockets.length).toBeGreaterThan(0)
      expect(sockets.filter((socket) => socket.includes(MDNS_PORT))).toEqual([])
      await kill(a)
      // Whom it tries to reach while its peer is away is the peer.
      await put(b, storeId, 'alone')
      await kill(b)
    })
    for (const kind of kindsOf(heard)) expect([...TO_THE_ROUTER, 'marker']).toContain(kind)
  })

  test('without relays is for the peer and the LAN', { timeout: SLOW_MS }, async () => {
    const heard = await reachedRouter(async () => {
      const daemon = await start(1, '--no-relay')
      await daemon.end('SIGTERM')
    })
    const kinds = kindsOf(heard)
    expect(kinds).toContain('mdns')
    for (const kind of kinds) expect([...TO_THE_ROUTER, 'mdns', 'marker']).toContain(kind)
  })

  test('of a node that listens on loopback is nothing, on the LAN neither', { timeout: SLOW_MS }, async () => {
    const heard = await reachedRouter(async () => {
      const daemon = await start(1, '--no-relay', '--bind', '127.0.0.1:0')
      expect((await socketsOf(host(1))).filter((socket) => socket.includes(MDNS_PORT))).not.toEqual([])
      await daemon.end('SIGTERM')
    })
    for (const kind of kindsOf(heard)) expect([...TO_THE_ROUTER, 'marker']).toContain(kind)
  })

  test('of a node whose TLS alone listens on the LAN is said to the LAN', { timeout: SLOW_MS }, async () => {
    const heard = await reachedRouter(async () => {
      const tls = `${host(1).address()}:0`
      const daemon = await start(1, '--no-relay', '--bind', '127.0.0.1:0', '--tls-bind', tls)
      await daemon.end('SIGTERM')
    })
    const kinds = kindsOf(heard)
    expect(kinds).toContain('mdns')
    for (const kind of kinds) expect([...TO_THE_ROUTER, 'mdns', 'marker']).toContain(kind)
  })

  // What the silence above is worth: the same router hears of a node that may use relays.
  test('with relays asks for them', { timeout: SLOW_MS }, async () => {
    const daemon = await start(1, '--no-lan')
    expect((await router().heardUntil('dns')).at(-1)).toBe(`dns ${host(1).address()}`)
    await kill(daemon)
  })
})
