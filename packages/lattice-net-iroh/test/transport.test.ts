import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createAbortController, toSeed } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { type Connection, PeerUnreachable, type Transport } from '@lattice/net-types'
import { afterEach, describe, expect, test } from 'vitest'
import { BindFailed, CONNECT_TIMEOUT_MS, type IrohTransportOptions, openIrohTransport } from '../src/index.ts'
import { hostScheduler } from './host-scheduler.ts'

const opened: Transport[] = []
/** The native side would wait three seconds for a dial that nobody answers. */
const MAX_CLOSE_MS = 2_000

afterEach(async () => {
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
})
