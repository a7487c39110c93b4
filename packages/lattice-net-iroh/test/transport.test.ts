import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createAbortController, toSeed } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import {
  CONNECT_TIMEOUT_MS,
  type Connection,
  HANDSHAKE_TIMEOUT_MS,
  MAX_HANDSHAKES_PER_SOURCE,
  PeerUnreachable,
  type Transport,
} from '@lattice/net-types'
import { afterEach, describe, expect, test } from 'vitest'
import { PROVE_ADDRESS_FROM } from '../src/accept-loop.ts'
import { BindFailed, type IrohTransportOptions, openIrohTransport } from '../src/index.ts'
import { hostScheduler } from './host-scheduler.ts'

const opened: Transport[] = []
const sockets: Socket[] = []
/** The native side would wait three seconds for a dial that nobody answers. */
const MAX_CLOSE_MS = 2_000
/** Each transport is a thread that loads the native side. */
const MAX_CASE_MS = 60_000

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close()
  for (const transport of opened.splice(0)) await transport.close()
})

async function open(index: number, options: Partial<IrohTransportOptions> = {}): Promise<Transport> {
  const transport = await openIrohTransport({
    secretSeed: toSeed(new Uint8Array(32).fill(index + 1)),
    bindAddress: '127.0.0.1:0',
    relay: 'off',
    scheduler: hostScheduler,
    ...options,
  })
  opened.push(transport)
  return transport
}

/**
 * A way to the peer on which of its packets only those pass that ask for proof of the address: handshakes over it get no
 * further.
 */
async function openMutedWay(to: Transport): Promise<string> {
  const port = Number(/:(\d+)$/.exec(to.addresses()[0] ?? '')?.[1])
  const [near, far] = [createSocket('udp4').bind(0, '127.0.0.1'), createSocket('udp4').bind(0, '127.0.0.1')]
  sockets.push(near, far)
  await Promise.all([once(near, 'listening'), once(far, 'listening')])
  let dialler: number | undefined
  near.on('message', (packet, { port: from }) => {
    dialler = from
    far.send(packet, port, '127.0.0.1')
  })
  far.on('message', (packet) => {
    if (isRetry(packet) && dialler !== undefined) near.send(packet, dialler, '127.0.0.1')
  })
  return `iroh:127.0.0.1:${near.address().port}`
}

/** RFC 9000, section 17.2.5. */
function isRetry(packet: Uint8Array): boolean {
  return ((packet[0] ?? 0) & 0xf0) === 0xf0
}

describe('the iroh transport', () => {
  test('listens on the interface it was given and on no other', async () => {
    const transport = await open(60)
    const addresses = transport.addresses()
    expect(addresses).toContainEqual(expect.stringMatching(/^iroh:127\.0\.0\.1:\d+$/))
    for (const address of addresses) expect(address).toMatch(/^iroh:(127\.0\.0\.1|\[::1\]):\d+$/)
    await transport.close()
    expect(transport.addresses()).toEqual([])
  })

  test('can listen again at once on the port it had', async () => {
    const first = await open(61)
    const port = /^iroh:127\.0\.0\.1:(\d+)$/.exec(first.addresses()[0] ?? '')?.[1]
    await first.close()
    const again = await open(61, { bindAddress: `127.0.0.1:${port}` })
    expect(again.addresses()).toContain(`iroh:127.0.0.1:${port}`)
  })

  test('says which address it cannot listen on', async () => {
    const first = await open(62)
    const taken = (first.addresses()[0] ?? '').slice('iroh:'.length)
    await expect(open(63, { bindAddress: taken })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      detail: { address: taken },
    })
    for (const bindAddress of ['', 'localhost:1', '127.0.0.1', '127.0.0.1:99999', '127.0.0.1:1; rm']) {
      await expect(open(63, { bindAddress })).rejects.toBeInstanceOf(BindFailed)
    }
  })

  test('gives up a dial at the deadline of the injected scheduler, without waiting for the native side', async () => {
    const scheduler = createManualScheduler()
    const transport = await open(64, { scheduler })
    const other = await open(65)
    const dialling = transport.connect(other.id, {
      addresses: ['iroh:127.0.0.1:9'],
      signal: createAbortController().signal,
    })
    scheduler.advance(CONNECT_TIMEOUT_MS)
    await expect(dialling).rejects.toBeInstanceOf(PeerUnreachable)
    expect(scheduler.pending()).toBe(0)
  })

  test('closes soon, also while a dial is under way that nobody answers', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1')
    await once(silent, 'listening')
    const [transport, other] = [await open(70), await open(71)]
    const dialling = transport.connect(other.id, {
      addresses: [`iroh:127.0.0.1:${silent.address().port}`],
      signal: createAbortController().signal,
    })
    await once(silent, 'message')
    const started = performance.now()
    await Promise.all([transport.close(), expect(dialling).rejects.toBeInstanceOf(PeerUnreachable)])
    expect(performance.now() - started).toBeLessThan(MAX_CLOSE_MS)
    silent.close()
  })

  test('a dial without an address fails at once when there are no relays', async () => {
    const [transport, other] = [await open(66), await open(67)]
    const options = { addresses: ['iroh:https://relay.example.org/'], signal: createAbortController().signal }
    const error: unknown = await transport.connect(other.id, options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PeerUnreachable)
  })

  test('a dial abandoned as it succeeds leaves no connection behind', async () => {
    const [transport, other] = [await open(68), await open(69)]
    const controller = createAbortController()
    const dialling = transport.connect(other.id, { addresses: other.addresses(), signal: controller.signal })
    controller.abort(new Error('never mind'))
    await expect(dialling).rejects.toThrow('never mind')
    // Whether the handshake got through or not: a connection that shows is closed again.
    const next = other.incoming[Symbol.asyncIterator]().next()
    const again = await transport.connect(other.id, {
      addresses: other.addresses(),
      signal: createAbortController().signal,
    })
    const first: Connection = (await next).value ?? again
    await again.close('done')
    expect((await first.closed).by).toBe('remote')
  })

  test(
    'handshakes that go no further take up the share of their address, and that for a time only',
    async () => {
      const scheduler = createManualScheduler()
      const [acceptor, silent, honest] = [await open(72, { scheduler }), await open(73), await open(74)]
      const { signal } = createAbortController()
      const dial = (from: Transport, addresses: readonly string[]): Promise<Connection> =>
        from.connect(acceptor.id, { addresses, signal })
      const muted = [await openMutedWay(acceptor)]
      // The first are let in unproved and count against nobody; the others have shown where they are.
      const count = PROVE_ADDRESS_FROM + MAX_HANDSHAKES_PER_SOURCE
      for (let index = 0; index < count; index += 1) dial(silent, muted).catch(() => undefined)
      await until(() => scheduler.pending() === count)
      await expect(dial(honest, acceptor.addresses())).rejects.toThrow(PeerUnreachable)
      expect(scheduler.pending()).toBe(count)

      scheduler.advance(HANDSHAKE_TIMEOUT_MS)
      const incoming = acceptor.incoming[Symbol.asyncIterator]()
      const [near, far] = await Promise.all([dial(honest, acceptor.addresses()), incoming.next()])
      expect(far.value?.peer).toEqual(honest.id)
      await near.close('done')
    },
    MAX_CASE_MS,
  )
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
