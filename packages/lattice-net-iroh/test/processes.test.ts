import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createAbortController, fromHex, toPublicKey, toSeed } from '@lattice/model'
import type { Connection, Transport } from '@lattice/net-types'
import { afterEach, describe, expect, test } from 'vitest'
import { openIrohTransport } from '../src/index.ts'
import { hostScheduler } from './host-scheduler.ts'

interface Greeting {
  readonly id: string
  readonly addresses: readonly string[]
}

/** A process that has exchanged its data exits by itself within this. */
const MAX_EXIT_MS = 2000

const children: ChildProcess[] = []
const transports: Transport[] = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  for (const transport of transports.splice(0)) await transport.close()
})

async function startPeer(index: number): Promise<{ readonly child: ChildProcess; readonly greeting: Greeting }> {
  const script = new URL('peer-process.ts', import.meta.url)
  const child = fork(script, [String(index)], { execArgv: ['--conditions=source'] })
  children.push(child)
  const [greeting] = (await once(child, 'message')) as [Greeting]
  return { child, greeting }
}

async function openNode(index: number): Promise<Transport> {
  const transport = await openIrohTransport({
    secretSeed: toSeed(new Uint8Array(32).fill(index + 1)),
    bindAddress: '127.0.0.1:0',
    relay: 'off',
    scheduler: hostScheduler,
  })
  transports.push(transport)
  return transport
}

function dial(transport: Transport, { id, addresses }: Greeting): Promise<Connection> {
  const key = toPublicKey(fromHex(id) ?? new Uint8Array())
  return transport.connect(key, { addresses, signal: createAbortController().signal })
}

async function echoed(connection: Connection, bytes: Uint8Array): Promise<Uint8Array> {
  const stream = await connection.open()
  const send = async (): Promise<void> => {
    await stream.write(bytes)
    await stream.finish()
  }
  const sending = send()
  const chunks: Uint8Array[] = []
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) chunks.push(chunk)
  await sending
  return Buffer.concat(chunks)
}

describe('two processes', () => {
  test('exchange data over QUIC, and each exits by itself at once after its close', async () => {
    const { child, greeting } = await startPeer(50)
    const connection = await dial(await openNode(51), greeting)
    const bytes = new Uint8Array(1_000_000).map((_, index) => index % 251)
    expect(Buffer.compare(await echoed(connection, bytes), bytes)).toBe(0)

    const started = performance.now()
    const exit = once(child, 'exit')
    child.send('bye')
    expect(await connection.closed).toEqual({ by: 'remote', message: 'the transport was closed' })
    expect(await exit).toEqual([0, null])
    expect(performance.now() - started).toBeLessThan(MAX_EXIT_MS)
  })

  test('a killed peer takes nothing down: its node is dialled again when it is back', async () => {
    const first = await startPeer(52)
    const node = await openNode(53)
    const before = await dial(node, first.greeting)
    expect(await echoed(before, new Uint8Array([1, 2, 3]))).toEqual(Buffer.from([1, 2, 3]))
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')

    const second = await startPeer(52)
    expect(second.greeting.id).toBe(first.greeting.id)
    // Its old connection is what the native side would try first, until it is closed or found to be silent.
    await before.close('gone')
    const after = await dial(node, second.greeting)
    expect(await echoed(after, new Uint8Array([4]))).toEqual(Buffer.from([4]))
  })
})
