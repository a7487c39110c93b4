import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { createDaemonGroup, ok, SLOW } from './daemon-group.ts'
import { type Finished, lattice, type RunningProcess, start } from './processes.ts'

const UNICODE_DATA = fileURLToPath(new URL('../../../examples/unicode/UnicodeData.txt', import.meta.url))

const { daemon, folder, on, running } = createDaemonGroup('lattice-cli-')
/** What these tests read of the documents. */
interface Document {
  readonly addresses: readonly string[]
  readonly id: string
  readonly nextPageToken: string
  readonly stateDigest: string
  readonly intentions: readonly { readonly id: string }[]
  readonly items: readonly { readonly key: string }[]
  readonly peers: readonly object[]
}

const json = async (finished: Promise<Finished>): Promise<Document> => JSON.parse(await ok(finished)) as Document

describe('one node', () => {
  const at = on('alone')
  let node: RunningProcess
  beforeAll(async () => {
    node = await daemon('alone', '--offline')
  }, SLOW)

  test(
    'a store is created, written, read and looked into',
    async () => {
      expect(await ok(at('node', 'status'))).toContain('alone')
      expect((await at('put', 'k', 'v')).exitCode).toBe(3)
      const created = await json(at('--json', 'store', 'create', 'notes'))
      expect(created).toMatchObject({ storeType: 'core:rootstore', name: 'notes' })
      expect(created.id).toMatch(/^[0-9a-f]{64}$/u)
      await ok(at('put', 'grüße', '世界 0'))
      expect(await ok(at('get', 'grüße'))).toBe('世界 0\n')
      expect(await json(at('--json', 'get', '0x6772c3bcc39f65'))).toEqual({ value: '世界 0', conflicted: false })
      await ok(at('batch', '{"key":"a","put":"0x00ff"}', '{"key":"b","put":"2"}'))
      expect(await json(at('--json', 'list'))).toMatchObject({
        items: [{ key: 'a', value: '0x00ff' }, { key: 'b' }, { key: 'grüße' }],
      })
      expect(await ok(at('inspect', 'b'))).toContain('exists  yes')
      await ok(at('delete', 'b'))
      expect((await at('get', 'b')).exitCode).toBe(3)
      expect(await ok(at('count'))).toBe('2\n')
      const looks = [
        'store list --tree',
        'store status -v',
        'store history',
        'store system',
        'store rebuild',
        'store debug tips',
        'store debug witness',
        'store debug floating',
        'peer list',
        'peer invites',
        'rpc describe',
        'help',
      ]
      const script = looks.map((line) => `${line} --json\n`).join('')
      const documents = await ok(lattice(['--data-dir', folder('alone'), 'repl'], script))
      expect(
        documents
          .trimEnd()
          .split('\n')
          .map((line): unknown => JSON.parse(line)),
      ).toHaveLength(looks.length)
      const { intentions } = await json(at('--json', 'store', 'history', '-n', '1'))
      expect(await ok(at('store', 'debug', 'intention', intentions[0]?.id.slice(0, 8) ?? ''))).toContain('(intention')
      await ok(at('put', 'c', '3'))
      const latest = await json(at('--json', 'store', 'history', '-n', '2'))
      const [newer, older] = latest.intentions.map((each) => each.id)
      const parted = await json(at('--json', 'store', 'debug', 'branch', newer ?? '', (older ?? '').slice(0, 12)))
      expect(parted).toEqual({
        lcas: [older],
        branches: [
          { head: newer, count: '2', ids: [older, newer] },
          { head: older, count: '1', ids: [older] },
        ],
      })
      expect((await at('store', 'debug', 'branch', 'ffffffff')).exitCode).toBe(3)
    },
    SLOW,
  )

  test(
    'the whole of Unicode is imported, and importing it again changes nothing but the log',
    async () => {
      await ok(at('store', 'create', 'unicode'))
      const summary = await json(
        at('--store', 'unicode', '--json', 'store', 'import', UNICODE_DATA, '--separator', ';'),
      )
      expect(summary).toMatchObject({ records: 34_924, bytes: 1_843_856 })
      expect(await ok(at('--store', 'unicode', 'count'))).toBe('34924\n')
      expect(await ok(at('--store', 'unicode', 'get', '1F600'))).toContain('GRINNING FACE')
      const list = await json(at('--store', 'unicode', '--json', 'list', '1F60', 'limit=3'))
      expect(list.items.map((item) => item.key)).toEqual(['1F60', '1F600', '1F601'])
      expect(list.nextPageToken).not.toBe('')
      expect((await at('count')).exitCode).toBe(2)
    },
    SLOW,
  )

  test(
    'watch follows until Ctrl-C',
    async () => {
      const watch = start(['--data-dir', folder('alone'), '--store', 'notes', '--json', 'watch', 'w', 'snapshot=true'])
      running.add(watch)
      await watch.line('snapshotEnd')
      await ok(at('--store', 'notes', 'put', 'w1', 'seen'))
      expect(JSON.parse(await watch.line('put'))).toEqual({
        put: { key: 'w1', value: 'seen', conflicted: false },
        cursor: expect.stringMatching(/^[0-9a-f]+$/u) as string,
      })
      expect(await watch.end('SIGINT')).toBe(130)
      running.delete(watch)
    },
    SLOW,
  )

  test(
    'a script runs line by line and keeps the first failure',
    async () => {
      const script = 'use notes\nput s 1\nget s\nget nothing\ncount\nquit\n'
      const { exitCode, stdout, stderr } = await lattice(['--data-dir', folder('alone'), 'repl'], script)
      expect(exitCode).toBe(3)
      expect(stdout).toMatch(/^using notes \([0-9a-f]{12}\)\nok id=[0-9a-f]{12}\n1\n\d+\n$/u)
      expect(stderr).toBe('error: get found nothing there\n')
    },
    SLOW,
  )

  test(
    'acknowledged writes outlive SIGKILL, and a daemon that is gone is said to be',
    async () => {
      await ok(at('--store', 'notes', 'put', 'durable', 'yes'))
      await node.end('SIGKILL')
      const gone = await at('--store', 'notes', 'get', 'durable')
      expect(gone.exitCode).toBe(4)
      expect(gone.stderr).toContain('no daemon answers')
      node = await daemon('alone', '--offline')
      expect(await ok(at('--store', 'notes', 'get', 'durable'))).toBe('yes\n')
    },
    SLOW,
  )

  test(
    'a data directory has one process',
    async () => {
      const second = await lattice(['daemon', '--data-dir', folder('alone'), '--offline'])
      expect(second.exitCode).toBe(1)
      expect(second.stderr).toMatch(/^error: /u)
      const embedded = await at('--embedded', '--offline', 'node', 'status')
      expect(embedded.exitCode).toBe(1)
    },
    SLOW,
  )
})

test(
  '--embedded needs no daemon and leaves a data directory that is closed',
  async () => {
    const at = on('embedded')
    const offline = ['--embedded', '--offline']
    await ok(at(...offline, 'store', 'create', 'notes'))
    await ok(at(...offline, 'put', 'k', 'v'))
    expect(await ok(at(...offline, 'get', 'k'))).toBe('v\n')
    // What listens has an address to say.
    expect(await json(at(...offline, '--json', 'node', 'status'))).toMatchObject({ addresses: [] })
    const direct = await json(at('--embedded', '--no-relay', '--json', 'node', 'status'))
    expect(direct.addresses).not.toEqual([])
  },
  SLOW,
)

test(
  'two nodes: invite, join, converge, refuse',
  async () => {
    const a = on('a')
    const b = on('b')
    const flags = ['--no-relay', '--bind', '127.0.0.1:0']
    const [, running] = await Promise.all([daemon('a', ...flags), daemon('b', ...flags)])
    await ok(a('store', 'create', 'team'))
    await ok(a('put', 'from-a', '1'))
    const token = (await ok(a('peer', 'invite'))).trim()
    expect((await b('store', 'join', `${token}x`)).exitCode).toBe(2)
    const joined = await json(b('--json', 'store', 'join', token))
    expect(joined).toMatchObject({ name: 'team', storeType: 'core:rootstore' })
    expect(await ok(b('get', 'from-a'))).toBe('1\n')
    await ok(b('put', 'from-b', '2'))
    await ok(a('store', 'sync'))
    expect(await ok(a('get', 'from-b'))).toBe('2\n')
    const peers = await json(a('--json', 'peer', 'list'))
    expect(peers.peers).toHaveLength(2)
    const [statusA, statusB] = await Promise.all([
      json(a('--json', 'store', 'status')),
      json(b('--json', 'store', 'status')),
    ])
    expect(statusB.stateDigest).toBe(statusA.stateDigest)
    expect(await json(a('--json', 'store', 'sync'))).toMatchObject({
      outcomes: [{ name: 'b', result: 'SYNC_RESULT_SYNCED', synced: true }],
      peers: 1,
      synced: 1,
      inactive: 0,
    })
    // Gone without a word: the connection looks whole until it is asked.
    await running.end('SIGKILL')
    const missed = await a('store', 'sync')
    expect(missed.exitCode).toBe(1)
    expect(missed.stdout).toMatch(/^b \([0-9a-f]{12}\) unreachable: not reached at /u)
    expect(missed.stderr).toContain('1 of 1 peer could not be synced')
    await daemon('b', ...flags)
    await ok(a('store', 'sync'))
    const used = await lattice(['--data-dir', folder('c'), '--embedded', '--no-relay', 'store', 'join', token])
    expect(used.exitCode).toBe(5)
    expect(used.stderr).toMatch(/^(?:connecting|showing)[\s\S]*error: /u)
  },
  2 * SLOW,
)
