import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectBackend, type LatticeBackend, storeExecutor } from '@lattice/api'
import { kvStore } from '@lattice/kvstore'
import { assert, toStoreId, utf8Decode, utf8Encode } from '@lattice/model'
import { createClient } from '@lattice/store-base'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** Two processes start, on a machine that may be busy. */
const MAX_TEST_MS = 120_000
/** Questions after which what is waited for does not come: each is a round trip to a process. */
const MAX_QUESTIONS = 20_000

let root: string
const ends: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'paths-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  await rm(root, { recursive: true })
})

interface Between {
  readonly port: number
  readonly leadTo: (port: number) => void
  /** Nothing passes any more, and nobody is let in. */
  readonly cut: () => Promise<void>
}

async function standBetween(): Promise<Between> {
  const sockets = new Set<Socket>()
  let target = 0
  const server: Server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    for (const [socket, other] of [[near, far] as const, [far, near] as const]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => other.destroy())
      socket.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert(address !== null && typeof address === 'object', 'it listens on a port')
  const cut = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  ends.push(cut)
  return {
    port: address.port,
    leadTo: (port) => {
      target = port
    },
    cut,
  }
}

async function startNode(name: string, between: Between): Promise<LatticeBackend> {
  const dataDir = join(root, name)
  await mkdir(dataDir)
  const script = new URL('two-path-process.ts', import.meta.url)
  const child: ChildProcess = fork(script, [dataDir, String(between.port)], { execArgv: ['--conditions=source'] })
  ends.push(async () => {
    if (child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.send('bye')
    await exited
  })
  const messages = on(child)
  const { tlsPort } = await messages.next((message) => 'tlsPort' in message)
  between.leadTo(Number(tlsPort))
  await messages.next((message) => 'ready' in message)
  const backend = await connectBackend({ socket: join(dataDir, 'lattice.sock') })
  ends.push(() => backend.close())
  return backend
}

/** Messages of a child, kept until they are asked for. */
function on(child: ChildProcess): {
  readonly next: (isIt: (message: object) => boolean) => Promise<Readonly<Record<string, unknown>>>
} {
  const kept: Record<string, unknown>[] = []
  child.on('message', (message: Record<string, unknown>) => kept.push(message))
  return {
    next: async (isIt) => {
      for (;;) {
        const found = kept.find(isIt)
        if (found !== undefined) return found
        await Promise.race([once(child, 'message'), once(child, 'exit').then(() => assert(false, 'the child lives'))])
      }
    },
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let questions = 0; !(await condition()); questions += 1) assert(questions < MAX_QUESTIONS, 'it comes to be')
}

test(
  'two processes go on by QUIC when their TLS path is cut, on the same connection',
  { timeout: MAX_TEST_MS },
  async () => {
    const between = [await standBetween(), await standBetween()] as const
    const [a, b] = [await startNode('a', between[0]), await startNode('b', between[1])]
    const storeId = toStoreId((await a.store.create({ name: 'shared' })).id)
    const { token } = await a.store.invite({ storeId })
    for await (const _progress of b.store.join({ token }));
    const [atA, atB] = [a, b].map((backend) => createClient(kvStore, storeExecutor(backend, storeId)))
    assert(atA !== undefined && atB !== undefined, 'both have the store')
    const peer = async (backend: LatticeBackend) => (await backend.node.getStatus({})).peers[0]
    const arrives = (key: string): Promise<void> =>
      until(async () => {
        const { value } = await atB.get({ key: utf8Encode(key) })
        return value !== undefined && utf8Decode(value) === key
      })

    // Both are dialled, and the direct one is preferred as soon as it is there.
    await until(async () => (await peer(a))?.path === 'tls' && (await peer(b))?.path === 'tls')
    await atA.put({ key: utf8Encode('by tls'), value: utf8Encode('by tls') })
    await arrives('by tls')
    const since = (await peer(b))?.connectedAt

    for (const one of between) await one.cut()
    await until(async () => (await peer(a))?.path === 'iroh' && (await peer(b))?.path === 'iroh')
    await atA.put({ key: utf8Encode('by quic'), value: utf8Encode('by quic') })
    await arrives('by quic')
    expect((await peer(b))?.connectedAt).toBe(since)
  },
)
