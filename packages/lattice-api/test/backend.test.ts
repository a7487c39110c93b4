/**
 * One suite for both backends: what a caller sees must not depend on whether
 * the node is in this process or behind a socket.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LatticeError, silentLogger, toStoreId } from '@lattice/model'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type ApiServer,
  type BackendHandlers,
  connectBackend,
  createInProcessBackend,
  type LatticeBackend,
  openApiServer,
  storeExecutor,
} from '../src/index.ts'
import { fakeHandlers } from './fake-handlers.ts'

interface Opened {
  readonly backend: LatticeBackend
  readonly server: ApiServer | undefined
}

let folder: string
let opened: Opened[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'api-'))
  opened = []
})

afterEach(async () => {
  for (const { backend, server } of opened) {
    await backend.close()
    await server?.close()
  }
  await rm(folder, { recursive: true })
})

const ways = {
  'in process': (handlers: BackendHandlers) =>
    Promise.resolve({ backend: createInProcessBackend(handlers), server: undefined }),
  'over gRPC': async (handlers: BackendHandlers) => {
    const socket = join(folder, 'lattice.sock')
    const server = await openApiServer({ handlers, socket, logger: silentLogger })
    return { backend: await connectBackend({ socket }), server }
  },
} satisfies Record<string, (handlers: BackendHandlers) => Promise<Opened>>

describe.each(Object.entries(ways))('a backend %s', (_name, openBackend) => {
  const open = async (streams = { opened: 0, ended: 0 }): Promise<LatticeBackend> => {
    const one = await openBackend(fakeHandlers(streams))
    opened.push(one)
    return one.backend
  }

  test('answers a unary call', async () => {
    const { node } = await open()
    expect(await node.getStatus({})).toMatchObject({ name: 'first', stores: 2 })
  })

  test('reports the code, the sentence and the facts of a failure', async () => {
    const { node } = await open()
    const failure = await node.setName({ name: 'x' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'STORE_NOT_FOUND', message: 'no store abcd: list them first' })
    expect(
      JSON.stringify((failure as LatticeError).detail, (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v)),
    ).toBe('{"reference":"abcd","size":"10"}')
  })

  test('streams items as they come, and ends when the caller stops', async () => {
    const streams = { opened: 0, ended: 0 }
    const { node } = await open(streams)
    const times: bigint[] = []
    for await (const event of node.subscribe({})) {
      times.push(event.time)
      if (times.length === 3) break
    }
    expect(times).toEqual([0n, 1n, 2n])
    expect(streams.opened).toBe(1)
  })

  const requests = (...texts: string[]): Uint8Array[] => texts.map((text) => new TextEncoder().encode(text))
  const storeId = toStoreId(new Uint8Array(32).fill(1))

  test('streams both ways: what is sent is answered as it comes, and the end says that all is done', async () => {
    const { execMany } = storeExecutor(await open(), storeId)
    const told: number[] = []
    async function* parts(): AsyncGenerator<Uint8Array[]> {
      yield requests('a', 'b')
      yield requests('c')
    }
    const done = await execMany('Put', parts(), { onProgress: ({ written }) => told.push(written) })
    expect(done).toEqual({ written: 3 })
    expect(told.at(-1)).toBe(3)
    expect(await execMany('Put', requests('a', 'b'), {})).toEqual({ written: 2 })
    expect(await execMany('Put', [], {})).toEqual({ written: 0 })
  })

  test('sends no faster than is taken, however much there is', async () => {
    const { execMany } = storeExecutor(await open(), storeId)
    const large = new Uint8Array(64 * 1024)
    let sent = 0
    let taken = 0
    let ahead = 0
    function* all(): Generator<Uint8Array> {
      for (; sent < 1000; sent += 1) {
        ahead = Math.max(ahead, sent - taken)
        yield large
      }
    }
    expect(await execMany('Put', all(), { onProgress: ({ written }) => void (taken = written) })).toEqual({
      written: 1000,
    })
    expect(ahead).toBeLessThan(200)
  })

  test('a refusal says what was done before, and ends the sending', async () => {
    const streams = { opened: 0, ended: 0 }
    const { execMany } = storeExecutor(await open(streams), storeId)
    let isClosed = false
    async function* parts(): AsyncGenerator<Uint8Array[]> {
      try {
        yield requests('a', 'b')
        yield requests('c', 'no', 'd')
        for (;;) yield requests('e')
      } finally {
        isClosed = true
      }
    }
    await expect(execMany('Put', parts(), {})).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      detail: { written: 3 },
    })
    await expect(execMany('never', parts(), {})).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' })
    expect(isClosed).toBe(true)
    expect(streams).toEqual({ opened: 2, ended: 2 })
  })

  test('what the caller sends from may fail: that is what it rejects with', async () => {
    const { execMany } = storeExecutor(await open(), storeId)
    const failure = new Error('the file broke off')
    async function* parts(): AsyncGenerator<Uint8Array[]> {
      yield requests('a')
      throw failure
    }
    await expect(execMany('Put', parts(), {})).rejects.toBe(failure)
  })

  test('a stream both ways ends with the abort of its caller', async () => {
    const { execMany } = storeExecutor(await open(), storeId)
    const abort = new AbortController()
    const reason = new Error('enough')
    async function* parts(): AsyncGenerator<Uint8Array[]> {
      yield requests('a')
      abort.abort(reason)
      yield requests('b')
    }
    await expect(execMany('Put', parts(), { signal: abort.signal })).rejects.toBe(reason)
  })

  test('rejects with the reason of the abort', async () => {
    const { node } = await open()
    const abort = new AbortController()
    const reason = new Error('enough')
    const reading = (async () => {
      for await (const event of node.subscribe({}, { signal: abort.signal })) if (event.time === 2n) abort.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
    await expect(node.getStatus({}, { signal: abort.signal })).rejects.toBe(reason)
  })
})

describe('the socket', () => {
  test('is for its owner only', async () => {
    const { server } = await ways['over gRPC'](fakeHandlers({ opened: 0, ended: 0 })).then(
      (one) => (opened.push(one), one),
    )
    expect((await stat(server.socket)).mode & 0o777).toBe(0o600)
  })

  test('of a live daemon is refused, a stale one is replaced', async () => {
    const socket = join(folder, 'lattice.sock')
    await writeFile(socket, '')
    const options = { handlers: fakeHandlers({ opened: 0, ended: 0 }), socket, logger: silentLogger }
    await using server = await openApiServer(options)
    await expect(openApiServer(options)).rejects.toMatchObject({ code: 'ALREADY_RUNNING' })
    expect(server.socket).toBe(socket)
  })

  test('of an overlong path is refused with its length', async () => {
    const socket = join(folder, 'x'.repeat(120))
    const options = { handlers: fakeHandlers({ opened: 0, ended: 0 }), socket, logger: silentLogger }
    await expect(openApiServer(options)).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE' })
  })

  test('that nobody serves is told at once', async () => {
    await expect(connectBackend({ socket: join(folder, 'none.sock') })).rejects.toMatchObject({
      code: 'DAEMON_UNREACHABLE',
    })
  })

  test('closing the server ends open streams with CLOSED', async () => {
    const { backend, server } = await ways['over gRPC'](fakeHandlers({ opened: 0, ended: 0 }))
    let seen = 0
    let closing: Promise<void> | undefined
    const reading = (async () => {
      for await (const _event of backend.node.subscribe({})) {
        seen += 1
        if (seen === 3) closing = server.close()
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'CLOSED' })
    await closing
    await backend.close()
  })

  test('hides the insides of an unexpected failure', async () => {
    const one = await ways['over gRPC'](fakeHandlers({ opened: 0, ended: 0 }))
    opened.push(one)
    const failure = await one.backend.node.listStoreTypes({}).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'INTERNAL' })
    expect(String(failure)).not.toContain('secret')
  })
})
