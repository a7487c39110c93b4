/**
 * The promises that only real processes can keep: what was acknowledged
 * survives SIGKILL, a data directory has one owner, a mesh forms over QUIC.
 */
import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StoreId, toHex, utf8Decode, utf8Encode } from '@lattice/model'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connected, createStore, digest, joinByToken, keyValue, online, syncAll } from './daemon-mesh.ts'
import { type DaemonProcess, startDaemon, startRefused } from './daemon-process.ts'

let root: string
let running: DaemonProcess[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'latticed-'))
  running = []
})

afterEach(async () => {
  await Promise.all(running.map((daemon) => daemon.end('SIGKILL')))
  await rm(root, { recursive: true, force: true })
})

async function start(name: string, flags: readonly string[] = []): Promise<DaemonProcess> {
  const daemon = await startDaemon(join(root, name), ['--name', name, ...flags])
  running.push(daemon)
  return daemon
}

describe('a daemon', () => {
  test('ends cleanly on SIGTERM, leaves no socket, and opens again at once', async () => {
    const first = await start('a')
    expect(await first.end('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(await readdir(first.dataDir)).not.toContain('lattice.sock')
    const again = await start('a')
    expect(await again.end('SIGTERM')).toEqual({ code: 0, signal: null })
  })

  test('refuses a data directory that another one holds, and says so', async () => {
    const { dataDir } = await start('a')
    const refused = await startRefused(['--data-dir', dataDir, '--offline'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^error: .*in use/u)
  })

  test('refuses an identity that others can read', async () => {
    const daemon = await start('a')
    await daemon.end('SIGTERM')
    await chmod(join(daemon.dataDir, 'identity.key'), 0o644)
    const refused = await startRefused(['--data-dir', daemon.dataDir, '--offline'])
    expect(refused.code).toBe(5)
    expect(refused.stderr).toContain('chmod 600')
  })

  test.each([
    [['--bind', 'localhost:4433'], 'give an IP address and a port'],
    [['--tls-bind', '127.0.0.1:70000'], 'give an IP address and a port'],
    [['--bind', '192.0.2.7:0'], 'no interface of this host has that address'],
    [['--no-tls', '--bind', '192.0.2.7:0'], 'no interface of this host has that address'],
    [['--bind', '127.0.0.1:0', '--tls-bind', '192.0.2.7:0'], 'no interface of this host has that address'],
    [['--no-tls', '--tls-bind', '127.0.0.1:0'], "cannot be used with option '--no-tls'"],
  ])('refuses %j in one sentence, as misuse', async (flags, sentence) => {
    const refused = await startRefused(['--data-dir', join(root, 'a'), '--no-relay', '--no-lan', ...flags])
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: [^\n]+\n$/u) })
    expect(refused.stderr).toContain(sentence)
  })

  test('refuses a data directory that is a file', async () => {
    await writeFile(join(root, 'file'), '')
    const refused = await startRefused(['--data-dir', join(root, 'file'), '--offline'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^error: /u)
  })

  test.each([['--bind', 'nonsense'], ['--tls-bind', '[::1]'], ['--no-such-flag'], ['--log-level', 'loud']])(
    'answers %s %s with usage, exit 2',
    async (...args) => {
      await mkdir(join(root, 'a'))
      const refused = await startRefused(['--data-dir', join(root, 'a'), ...args])
      expect(refused.code).toBe(2)
      expect(refused.stderr).toMatch(/^error: /u)
    },
  )

  test('keeps every acknowledged write through SIGKILL in the middle of writing', async () => {
    const daemon = await start('a', ['--offline'])
    const storeId = await createStore(daemon)
    const store = keyValue(daemon, storeId)
    const acknowledged: string[] = []
    let ending: Promise<unknown> | undefined
    const writer = async (name: number): Promise<void> => {
      for (let n = 0; ; n += 1) {
        const key = `${name}/${n}`
        const written = await store.put({ key: utf8Encode(key), value: utf8Encode('x') }).catch(() => undefined)
        if (written === undefined) return
        acknowledged.push(key)
        if (acknowledged.length === 60) ending = daemon.end('SIGKILL')
      }
    }
    await Promise.all([0, 1, 2, 3].map(writer))
    await ending
    const again = await start('a', ['--offline'])
    const present = keyValue(again, storeId)
    const lost: string[] = []
    for (const key of acknowledged) {
      if ((await present.get({ key: utf8Encode(key) })).value === undefined) lost.push(key)
    }
    expect(lost).toEqual([])
    expect((await again.backend.store.getStatus({ storeId })).forkedAuthors).toBe(0)
  })

  test('rebuilds a damaged state.db and names a damaged log.db, while other stores work', async () => {
    const daemon = await start('a', ['--offline'])
    const [rebuilt, broken, sound] = [await createStore(daemon), await createStore(daemon), await createStore(daemon)]
    for (const id of [rebuilt, broken, sound]) {
      await keyValue(daemon, id).put({ key: utf8Encode('k'), value: utf8Encode('v') })
    }
    await daemon.end('SIGTERM')
    await damage(join(daemon.dataDir, 'stores', toHex(rebuilt), 'state.db'))
    await damage(join(daemon.dataDir, 'stores', toHex(broken), 'log.db'))
    const again = await start('a', ['--offline'])
    for (const id of [rebuilt, sound]) {
      const answer = await keyValue(again, id).get({ key: utf8Encode('k') })
      expect(utf8Decode(answer.value ?? new Uint8Array(0))).toBe('v')
    }
    const { stores } = await again.backend.store.list({})
    const failed = stores.filter((store) => store.errorCode !== '')
    expect(failed.map((store) => [toHex(store.id), store.errorCode])).toEqual([[toHex(broken), 'LOG_DAMAGED']])
    expect(failed[0]?.error).toContain('log.db')
    await expect(keyValue(again, broken).get({ key: utf8Encode('k') })).rejects.toMatchObject({ code: 'LOG_DAMAGED' })
  })
})

describe('a mesh of daemons over QUIC', () => {
  test('joins by token, converges after both sides wrote apart, and shows the conflict alike', async () => {
    const [a, b] = [await start('a'), await start('b')]
    const storeId = await createStore(a)
    await keyValue(a, storeId).put({ key: utf8Encode('before'), value: utf8Encode('join') })
    await joinByToken(a, b, storeId)
    expect(utf8Decode((await keyValue(b, storeId).get({ key: utf8Encode('before') })).value ?? utf8Encode('?'))).toBe(
      'join',
    )

    await b.end('SIGTERM')
    const alone = await start('b', ['--offline'])
    await keyValue(alone, storeId).put({ key: utf8Encode('same'), value: utf8Encode('b') })
    await keyValue(a, storeId).put({ key: utf8Encode('same'), value: utf8Encode('a') })
    await alone.end('SIGTERM')
    const back = await start('b')
    await connected(back)
    expect(await syncAll(back, storeId)).toBe(true)
    expect(await digest(back, storeId)).toBe(await digest(a, storeId))
    for (const daemon of [a, back]) {
      const view = await keyValue(daemon, storeId).inspect({ key: utf8Encode('same') })
      expect(view.conflicted).toBe(true)
      expect(view.heads).toHaveLength(2)
    }
    await keyValue(back, storeId).resolve({ key: utf8Encode('same'), value: utf8Encode('both') })
    expect(await syncAll(back, storeId)).toBe(true)
    expect((await keyValue(a, storeId).get({ key: utf8Encode('same') })).conflicted).toBe(false)
  })

  test('nodes that were all down find each other again by the ports they had', async () => {
    const [a, b] = [await start('a'), await start('b')]
    const storeId = await createStore(a)
    await joinByToken(a, b, storeId)
    await Promise.all([a.end('SIGTERM'), b.end('SIGTERM')])
    const [again, other] = [await start('a'), await start('b')]
    await keyValue(again, storeId).put({ key: utf8Encode('after'), value: utf8Encode('restart') })
    await Promise.all([connected(again), connected(other)])
    expect(await syncAll(other, storeId)).toBe(true)
    expect(await digest(other, storeId)).toBe(await digest(again, storeId))
  })

  test('answers each kind of bad token with its own error and leaves nothing behind', async () => {
    const [a, b, c] = [await start('a'), await start('b'), await start('c')]
    const storeId = await createStore(a)
    const { token } = await a.backend.store.invite({ storeId })
    const refusal = async (daemon: DaemonProcess, text: string): Promise<unknown> => {
      try {
        for await (const _progress of daemon.backend.store.join({ token: text }));
      } catch (error) {
        return (error as { code?: unknown }).code
      }
      return 'joined'
    }
    const mistyped = `${token.slice(0, 30)}${token[30] === 'q' ? 'p' : 'q'}${token.slice(31)}`
    expect(await refusal(b, mistyped)).toBe('TOKEN_MALFORMED')
    expect(await refusal(b, 'hello')).toBe('TOKEN_MALFORMED')
    expect(await refusal(b, token.toUpperCase())).toBe('joined')
    expect(await refusal(c, token)).toBe('TOKEN_USED')
    expect((await c.backend.store.list({})).stores).toEqual([])
    expect(await readdir(join(c.dataDir, 'stores'))).toEqual([])
  })

  test('peers that joined through one another sync once that one is gone', async () => {
    const [a, b, c] = [await start('a'), await start('b'), await start('c')]
    const storeId = await createStore(a)
    await joinByToken(a, b, storeId)
    await joinByToken(a, c, storeId)
    await online(b, 2)
    await online(c, 2)
    await a.end('SIGTERM')
    await online(b, 1)
    await online(c, 1)
    await keyValue(b, storeId).put({ key: utf8Encode('k'), value: utf8Encode('v') })
    const synced: Record<string, boolean> = {}
    // It may acknowledge what has just come while it is compared.
    while (synced['b'] !== true) {
      for await (const { progress } of c.backend.store.sync({ storeId })) {
        if (progress.case === 'outcome') synced[progress.value.name] = progress.value.synced
      }
    }
    expect(synced).toEqual({ a: false, b: true })
    expect(utf8Decode((await keyValue(c, storeId).get({ key: utf8Encode('k') })).value ?? utf8Encode('?'))).toBe('v')
    for (const daemon of [b, c]) {
      expect(await daemon.backend.store.getStatus({ storeId })).toMatchObject({ synced: true, peersSynced: 1 })
    }
    // A dial of the one that is gone is waited out.
  }, 60_000)

  test.each(['a', 'b'])(
    '%s, killed and started again, is connected again long before its silence would be noticed',
    async (name) => {
      const daemons = new Map([
        ['a', await start('a')],
        ['b', await start('b')],
      ])
      const [a, b] = [daemonOf(daemons, 'a'), daemonOf(daemons, 'b')]
      const storeId = await createStore(a)
      await joinByToken(a, b, storeId)
      const survivor = name === 'a' ? b : a
      await daemonOf(daemons, name).end('SIGKILL')
      const back = await start(name)
      const startedAt = performance.now()
      await online(back, 1)
      // What is written now goes out on the new connection, not on the one that only looks alive.
      const arrived = firstWrite(back, storeId)
      await keyValue(survivor, storeId).put({ key: utf8Encode('k'), value: utf8Encode('v') })
      await arrived
      const arrivedMs = performance.now() - startedAt
      expect(arrivedMs).toBeLessThan(RECONNECT_MAX_MS)
    },
  )
})

/** A connection to a killed peer looks alive for some 30 s: less than this shows that nobody waited for it. */
const RECONNECT_MAX_MS = 10_000

/** Resolves with the first write to a store that is empty now or already not. */
async function firstWrite(daemon: DaemonProcess, storeId: StoreId): Promise<void> {
  const abort = new AbortController()
  for await (const { event } of keyValue(daemon, storeId).watch({ snapshot: true }, abort.signal)) {
    if (event.case === 'put') break
  }
  abort.abort()
}

function daemonOf(daemons: ReadonlyMap<string, DaemonProcess>, name: string): DaemonProcess {
  const daemon = daemons.get(name)
  if (daemon === undefined) throw new Error(`there is no daemon ${name}`)
  return daemon
}

/** Overwrites the first pages. */
async function damage(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(8192, 0x5a), 0, 8192, 0)
  await handle.close()
  await rm(`${file}-wal`, { force: true })
}
