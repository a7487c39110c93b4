import { PassThrough } from 'node:stream'
import { create } from '@bufbuild/protobuf'
import { DaemonUnreachable, ERROR_TABLE, type LatticeBackend } from '@lattice/api/client'
import { type LatticeErrorCode, toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { deferred } from '../test/deferred.ts'
import { OTHER } from '../test/fake-life.ts'
import { createFakeNode, type FakeNode, idOf } from '../test/fake-node.ts'
import { run } from '../test/fake-process.ts'

const shell = (line: string): readonly string[] => line.split(' ').filter((word) => word !== '')

function nodeWith(...names: string[]): FakeNode {
  return createFakeNode(names)
}

describe('exit codes', () => {
  test.each(Object.entries(ERROR_TABLE))('%s ends with its code, as a sentence and as JSON', async (code, { exit }) => {
    const node = nodeWith('notes')
    node.failWith(code as LatticeErrorCode, 'somebody must do something')
    const asText = await run(['put', 'k', 'v'], node)
    expect(asText).toEqual({ exitCode: exit, stdout: '', stderr: 'error: somebody must do something\n' })
    const asJson = await run(['--json', 'put', 'k', 'v'], node)
    expect(asJson).toMatchObject({ exitCode: exit, stdout: '' })
    expect(JSON.parse(asJson.stderr)).toEqual({
      error: { code, message: 'somebody must do something', detail: { asked: 'store.list' } },
    })
  })

  test('no code of an error is 0', () => {
    for (const { exit } of Object.values(ERROR_TABLE)) expect(exit).toBeGreaterThan(0)
  })

  test('without a daemon: 4', async () => {
    const { exitCode, stderr } = await run(['--data-dir', '/nowhere/at/all', 'node', 'status'])
    expect(exitCode).toBe(4)
    expect(stderr).toContain(new DaemonUnreachable('/nowhere/at/all/lattice.sock').message)
  })

  test.each([
    'store frob',
    'store create a b c',
    'store create --root --parent notes',
    'store create x --strategy independent',
    'store archive a b',
    'store delete notes --frob',
    'peer role nas',
    'peer cancel-invite',
    'store history -n 0',
    'store history -n ten',
    'store history -n 1e3',
    'peer invite --role king',
    'peer invite --expires soon',
    'peer invite --uses 0',
    '--frob',
    'store status --frob',
    'store',
    'put k',
    'put k v w',
    'list limit=many',
    'list --limit 4',
    'store use notes',
    'store join lattice1bad',
    'store import data.txt',
    'store import /nowhere/at/all.jsonl',
    'store import x.txt --separator=',
    '--data-dir a --socket b node status',
    '--offline node status',
    '--no-relay put k v',
  ])('%s is misuse: 2', async (line) => {
    const { exitCode, stdout, stderr } = await run(shell(line), nodeWith('notes'))
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).not.toBe('')
    const json = await run(['--json', ...shell(line)], nodeWith('notes'))
    expect(json.exitCode).toBe(2)
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { code: expect.any(String) as string, message: expect.any(String) as string },
    })
  })

  test.each([
    'frob',
    '--store nope put k v',
    'store status nope',
    'get nothing',
    'rpc Frob.Do',
    'rpc StoreService.Frob',
    'store debug intention ffff',
    'help frob',
  ])('%s finds nothing: 3', async (line) => {
    expect((await run(shell(line), nodeWith('notes'))).exitCode).toBe(3)
  })

  test('an unknown method is answered with the methods there are', async () => {
    const { stderr } = await run(['frob'], nodeWith('notes'))
    expect(stderr).toBe(
      `error: 'frob' is neither a command nor a method of this store
hint: its methods: put, delete, batch, resolve, get, list, inspect, history, count, watch; 'lattice help' also shows the commands
`,
    )
  })

  test('help of what no command is called says which there are, with a store or without', async () => {
    for (const node of [nodeWith(), nodeWith('notes')]) {
      const { exitCode, stderr } = await run(['help', 'peer', 'frob'], node)
      expect(exitCode).toBe(3)
      expect(stderr).toMatch(/'peer' has no command 'frob'\nhint: choose one of: list, invite/u)
      expect((await run(['help', 'doctor', 'frob'], node)).stderr).toContain("'help doctor' shows what it takes")
    }
    expect((await run(['help', 'frob'], nodeWith())).stderr).toContain("'frob' is no command, and there is no store")
  })

  test('a defect is reported as one and never looks like success', async () => {
    const node = nodeWith('notes')
    const broken = {
      ...node.backend,
      store: { ...node.backend.store, list: () => Promise.reject(new TypeError('oops')) },
    }
    const { exitCode, stderr } = await run(['store', 'list'], { backend: broken })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('oops')
  })
})

describe('without a command', () => {
  test('and without a terminal: help and misuse', async () => {
    const { exitCode, stdout, stderr } = await run([])
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain('Usage: lattice')
  })

  test('help and version need no node', async () => {
    expect(await run(['help'])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Commands:') as string })
    expect(await run(['--help'])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Commands:') as string })
    expect(await run(['help', 'store', 'create'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('--parent') as string,
    })
    expect(await run(['--version'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/u) as string,
    })
  })

  test('help of a method tells its fields', async () => {
    const { stdout } = await run(['put', '--help'], nodeWith('notes'))
    expect(stdout).toContain('Usage: put KEY VALUE')
  })
})

describe('which store', () => {
  test('the only one, the one of --store, or the one of LATTICE_STORE', async () => {
    const one = nodeWith('notes')
    expect((await run(['put', 'k', 'v'], one)).exitCode).toBe(0)
    const two = nodeWith('notes', 'team')
    expect((await run(['--store', 'notes', 'put', 'k', 'v'], two)).exitCode).toBe(0)
    expect((await run(['put', 'k', 'v', '--store', 'notes'], two)).exitCode).toBe(0)
    expect((await run(['put', 'k', 'v'], { ...two, env: { LATTICE_STORE: '1111' } })).exitCode).toBe(0)
    expect((await run(['--store', 'team', 'count'], { ...two, env: { LATTICE_STORE: '1111' } })).stdout).toBe('0\n')
  })

  test('of several none is guessed', async () => {
    const { exitCode, stderr } = await run(['put', 'k', 'v'], nodeWith('notes', 'team'))
    expect(exitCode).toBe(2)
    expect(stderr).toContain('which store? notes (111111111111), team (222222222222)')
  })

  test("what is gone stands in nobody's way, and is meant where nothing else is there", async () => {
    const node = nodeWith('ended', 'notes')
    await run(shell('store destroy ended --yes'), node)
    expect((await run(['put', 'k', 'v'], node)).exitCode).toBe(0)
    await run(['store', 'leave'], node)
    expect((await run(['store', 'status'], node)).stdout).toMatch(/store +notes/u)
    await run(shell('store delete notes --yes'), node)
    expect((await run(['store', 'status'], node)).stderr).toContain('which store? ended')
  })

  test('without any store the sentence says how to get one', async () => {
    const { exitCode, stderr } = await run(['put', 'k', 'v'], nodeWith())
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(/'put' is no command, and there is no store .*\nhint: create one with 'store create NAME'/u)
  })
})

describe('--json', () => {
  const json = async (line: string, node = nodeWith('notes')): Promise<unknown> => {
    const { stdout, stderr, exitCode } = await run(['--json', ...shell(line)], node)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout.endsWith('\n')).toBe(true)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    return JSON.parse(stdout)
  }

  test('a created store, an invite and a value are what the pages say', async () => {
    const node = nodeWith('notes')
    expect(await json('store create team')).toMatchObject({
      id: '41'.repeat(32),
      storeType: 'core:kvstore',
      name: 'team',
    })
    expect(await json('peer invite')).toMatchObject({ token: 'lattice1good' })
    await json('put k v', node)
    expect(await json('get k', node)).toEqual({ value: 'v', conflicted: false })
    expect(await json('count', node)).toEqual({ count: '1' })
  })

  test.each([
    'node status',
    'node set-name x',
    'store list',
    'store list --tree',
    'store status',
    'store set-name x',
    'store history',
    'store system',
    'store rebuild',
    'store verify',
    'store repair',
    'store join lattice1good',
    'store status -v',
    'store ack',
    'store debug observations',
    'store debug forks',
    'store debug tips',
    'store debug witness',
    'store debug floating',
    'store debug intention 0101',
    'store debug branch 0202 0303',
    'peer list',
    'peer role nas admin',
    'peer dormant nas',
    'peer set-name x',
    'store leave',
    'store destroy --yes',
    'help stores',
    'peer invites',
    'rpc list',
    'rpc describe',
    'rpc describe put',
    'rpc NodeService.GetStatus',
    'rpc store.ListTips',
    'rpc KvStore.Count',
    'help',
    'list',
    'inspect k',
    'delete k',
  ])('%s prints exactly one document and nothing else', async (line) => {
    await json(line)
  })

  test('a value that is not there: the document on stdout, the error on stderr', async () => {
    const { exitCode, stdout, stderr } = await run(['--json', 'get', 'nothing'], nodeWith('notes'))
    expect(exitCode).toBe(3)
    expect(JSON.parse(stdout)).toEqual({ conflicted: false })
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'VALUE_NOT_FOUND' } })
  })
})

test.each(['tips', 'witness', 'floating', 'rejections', 'epochs', 'excluded', 'stranded', 'observations', 'forks'])(
  'store debug %s takes a store by name',
  async (command) => {
    const node = nodeWith('notes')
    expect((await run(shell(`store debug ${command} notes`), node)).exitCode).toBe(0)
    expect((await run(shell(`store debug ${command} other`), node)).stderr).toContain("no store 'other' here")
  },
)

test('branches are shown with what they have in common, and how much is left out', async () => {
  const node = nodeWith('notes')
  const { stdout, exitCode } = await run(shell('store debug branch 0202… 0303 --causal -n 2'), node)
  expect(node.requests).toContain('inspectBranch 0202 0303 causal 2')
  expect({ exitCode, lines: stdout.trimEnd().split('\n') }).toEqual({
    exitCode: 0,
    lines: [
      'in common up to',
      expect.stringMatching(/^ {2}0101/u) as string,
      expect.stringMatching(/^0202.* 2 intentions$/u) as string,
      expect.stringMatching(/^ {2}0101/u) as string,
      expect.stringMatching(/^ {2}0202/u) as string,
      expect.stringMatching(/^0303.* 9 intentions$/u) as string,
      '  … 8 before',
      expect.stringMatching(/^ {2}0303/u) as string,
    ],
  })
})

describe('methods of the store', () => {
  test('in any case of letters, with text, bytes and negative numbers', async () => {
    const node = nodeWith('notes')
    for (const argv of [
      ['PUT', 'a', '-5'],
      ['Put', '0x62', 'x y'],
      ['put', 'c', '--', '--json'],
      ['put', 'd', ''],
    ]) {
      expect((await run(argv, node)).exitCode).toBe(0)
    }
    expect(Object.fromEntries(node.keys(idOf(0x11)))).toEqual({ a: '-5', b: 'x y', c: '--json', d: '' })
  })

  test('watch prints one line per event until Ctrl-C, and ends with 130', async () => {
    const node = nodeWith('notes')
    const started = deferred<(exitCode: number) => void>()
    const running = run(['watch', 'k', '--json'], { ...node, onStart: started.resolve })
    const interrupt = await started.promise
    await node.followed()
    await run(['put', 'k', 'v'], node)
    await run(['delete', 'k'], node)
    setImmediate(() => interrupt(130))
    const { exitCode, stdout, stderr } = await running
    expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: '' })
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { cursor: '', put: { key: 'k', value: 'v', conflicted: false } },
      { cursor: '', deleted: { key: 'k' } },
    ])
  })

  test('a reader that goes away ends a stream quietly', async () => {
    const node = nodeWith('notes')
    const stdout = new PassThrough()
    stdout.destroy()
    const running = run(['watch'], { ...node, stdout })
    await node.followed()
    await run(['put', 'k', 'v'], node)
    expect(await running).toMatchObject({ exitCode: 0, stderr: '' })
  })
})

describe('work with stages', () => {
  test('join tells its stages on stderr and its outcome on stdout', async () => {
    const { stdout, stderr } = await run(shell('store join lattice1good'), nodeWith('notes'))
    expect(stdout).toMatchInlineSnapshot(`
      "joined core:kvstore store notes (111111111111) in 500 ms
      id 1111111111111111111111111111111111111111111111111111111111111111
      "
    `)
    expect(stderr).toMatchInlineSnapshot(`
      "connecting to the inviter …
      receiving the store …
      "
    `)
  })

  test('on a terminal a bar shows the bootstrap and disappears', async () => {
    const { stderr } = await run(shell('store join lattice1good --no-color'), {
      ...nodeWith('notes'),
      isTerminal: true,
    })
    expect(stderr).toContain('receiving ━━━━━━━━━━━━────────────  50%  5 of 10')
    expect(stderr.endsWith('\r\u001B[K')).toBe(true)
  })

  test('sync is only a success when every peer that takes part is synced', async () => {
    const node = nodeWith('notes')
    const { SyncResult } = daemon
    const outcome = (peer: number, result: daemon.SyncResult, error = '', name = ''): daemon.SyncOutcome =>
      create(daemon.SyncOutcomeSchema, {
        peer: idOf(peer),
        sent: 1n,
        received: 2n,
        synced: result === SyncResult.SYNCED,
        result,
        name,
        errorCode: error === '' ? '' : 'PEER_UNREACHABLE',
        error,
      })
    node.outcomes = [outcome(0xaa, SyncResult.SYNCED)]
    expect((await run(shell('store sync other'), node)).stderr).toContain("no store 'other' here")
    expect((await run(shell('store sync notes'), node)).exitCode).toBe(0)
    expect(await run(shell('store sync'), node)).toEqual({
      exitCode: 0,
      stdout: 'aaaaaaaaaaaa synced: sent 1, received 2\n',
      stderr: '',
    })
    const gone = outcome(0xcc, SyncResult.INACTIVE, 'it was revoked and takes no part any more', 'old')
    node.outcomes = [outcome(0xaa, SyncResult.SYNCED), gone]
    expect((await run(shell('store sync'), node)).exitCode).toBe(0)
    node.outcomes = [
      outcome(0xaa, SyncResult.SYNCED),
      outcome(0xbb, SyncResult.UNREACHABLE, 'nobody answered', 'nas'),
      outcome(0xdd, SyncResult.FAILED, 'it broke off'),
      outcome(0xee, SyncResult.DIFFERS),
      gone,
    ]
    const failed = await run(shell('store sync'), node)
    expect(failed.exitCode).toBe(1)
    expect(failed.stdout.split('\n').slice(1, -1)).toEqual([
      'nas (bbbbbbbbbbbb) unreachable: nobody answered',
      'dddddddddddd failed: it broke off (PEER_UNREACHABLE)',
      'eeeeeeeeeeee not synced yet: sent 1, received 2',
      'old (cccccccccccc) takes no part: it was revoked and takes no part any more',
    ])
    expect(failed.stderr).toContain('3 of 4 peers could not be synced')
    const json = await run(shell('--json store sync'), node)
    expect(JSON.parse(json.stdout)).toMatchObject({
      peers: 4,
      synced: 1,
      inactive: 1,
      outcomes: [
        { synced: true },
        { result: 'SYNC_RESULT_UNREACHABLE', name: 'nas' },
        {},
        {},
        { result: 'SYNC_RESULT_INACTIVE' },
      ],
    })
    expect(json.exitCode).toBe(1)
    for (const nobody of [[], [gone]]) {
      node.outcomes = nobody
      expect((await run(shell('store sync'), node)).exitCode).toBe(1)
    }
  })
})

describe('import', () => {
  const input = Array.from({ length: 1000 }, (_, index) => `key${index};value ${index};x\n`).join('')

  test('writes every record in batches and says what it did', async () => {
    const node = nodeWith('notes')
    const { exitCode, stdout, stderr } = await run(shell('store import - --separator ;'), { ...node, stdin: input })
    expect({ exitCode, stdout, stderr }).toMatchInlineSnapshot(`
      {
        "exitCode": 0,
        "stderr": "",
        "stdout": "imported 1,000 records, 16.8 kB in 1.5 s (667 records/s)
      ",
      }
    `)
    expect(node.keys(idOf(0x11)).get('key999')).toBe('value 999;x')
    expect(node.requests.filter((each) => each.startsWith('execMany '))).toHaveLength(4)
  })

  test('--json sums up in one document', async () => {
    const { stdout } = await run(shell('--json store import - --separator ;'), { ...nodeWith('notes'), stdin: input })
    expect(JSON.parse(stdout)).toMatchObject({ records: 1000, bytes: 16_780, requests: 4 })
  })

  test('JSON Lines from stdin', async () => {
    const node = nodeWith('notes')
    await run(shell('store import -'), { ...node, stdin: '{"key":"a","value":"1"}\n{"key":"a","value":"2"}\n' })
    expect(Object.fromEntries(node.keys(idOf(0x11)))).toEqual({ a: '2' })
  })

  test('a malformed line is named; what came before its batch is told', async () => {
    const node = nodeWith('notes')
    const { exitCode, stderr } = await run(shell('--json store import - --separator ;'), {
      ...node,
      stdin: `${input}broken\n`,
    })
    expect(exitCode).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'INVALID_ARGUMENT', detail: { line: 1001, imported: 768 } },
    })
    expect(node.keys(idOf(0x11)).size).toBe(768)
  })

  test('a refusal of the node keeps its code', async () => {
    const node = nodeWith('notes')
    const unreachable: LatticeBackend['dynamic']['execMany'] = () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new DaemonUnreachable('x')) }),
    })
    const dynamic = { ...node.backend.dynamic, execMany: unreachable }
    const { exitCode } = await run(shell('store import - --separator ;'), {
      backend: { ...node.backend, dynamic },
      stdin: input,
    })
    expect(exitCode).toBe(4)
  })

  test('a refused batch is named by its lines, and what is durable is told', async () => {
    const node = nodeWith('notes')
    node.refuseAfter = 2
    const { exitCode, stderr } = await run(shell('store import - --separator ;'), { ...node, stdin: input })
    expect(exitCode).toBe(5)
    expect(stderr).toContain('error: lines 513 to 768: too large; 512 records imported before')
    expect(node.keys(idOf(0x11)).size).toBe(512)
  })

  test('an empty input is nothing to import, and no failure', async () => {
    const { exitCode, stdout } = await run(shell('store import - --separator ;'), { ...nodeWith('notes'), stdin: '' })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'nothing to import: the input has no records\n' })
  })

  test.each([
    ['store import /nowhere/at/all.jsonl', 'error: there is no file /nowhere/at/all.jsonl'],
    [
      `store import ${import.meta.dirname} --separator ;`,
      `error: ${import.meta.dirname} is a directory: name a file in it`,
    ],
  ])('%s says what is wrong with the file', async (line, sentence) => {
    const { exitCode, stderr } = await run(shell(line), nodeWith('notes'))
    expect(exitCode).toBe(2)
    expect(stderr).toContain(sentence)
  })
})

test('what a peer wrote cannot drive the terminal', async () => {
  const node = nodeWith('notes')
  await run(['put', 'k', '\u001B[2Jgone'], node)
  expect((await run(['get', 'k', '--no-color'], { ...node, isTerminal: true })).stdout).toBe(
    String.raw`\u{1b}[2Jgone` + '\n',
  )
  expect((await run(['list', '--no-color'], { ...node, isTerminal: true })).stdout).not.toContain('\u001B')
  expect((await run(['get', 'k'], node)).stdout).toBe('\u001B[2Jgone\n')
})

test('a stalled store goes on by retry, and what was rejected is listed', async () => {
  const node = nodeWith('notes')
  expect((await run(shell('store retry'), node)).stdout).toBe('notes (111111111111) goes on: 5 intentions projected\n')
  const { stdout } = await run(shell('store debug rejections'), node)
  expect(stdout).toContain('payload_malformed')
  const json = await run(shell('--json store debug rejections --from 4'), node)
  expect(JSON.parse(json.stdout)).toMatchObject({ total: '1' })
  node.failWith('PROJECTION_STALLED', 'projection stands at record 7: look at the error, then retry or rebuild')
  expect((await run(shell('store retry'), node)).exitCode).not.toBe(0)
})

test('a store that nothing here opens is listed as headless, and says what that means', async () => {
  const node = nodeWith('notes')
  node.makeHeadless('notes')
  expect((await run(shell('store list'), node)).stdout).toContain('headless')
  expect((await run(shell('store list --tree'), node)).stdout).toContain('headless')
  const { stdout } = await run(shell('store status'), node)
  expect(stdout).toContain('nothing here opens core:kvstore: it is received, kept and served, its data unread')
})

test('status counts what was pruned among what is projected and seen', async () => {
  const node = nodeWith('notes')
  node.status = { witnessCount: 9n, appliedSeq: 57n, headSeq: 58n, stable: 56n }
  const { stdout } = await run(shell('store status'), node)
  expect(stdout).toMatch(/^intentions +9 witnessed, 0 floating$/m)
  expect(stdout).toMatch(/^seen by all +56 of 58 by every peer that writes$/m)
  expect(stdout).toMatch(/^projection +57 of 58$/m)
})

test('status says who holds an epoch up, by name', async () => {
  const node = nodeWith('notes')
  expect((await run(shell('store status'), node)).stdout).not.toContain('epoch')
  node.status = { unsettled: create(daemon.EpochSchema, { id: idOf(0xee), seq: 4n, waitingFor: [OTHER] }) }
  expect((await run(shell('store status'), node)).stdout).toMatch(/^epoch 4 +waiting for nas$/m)
  expect(JSON.parse((await run(shell('--json store status'), node)).stdout)).toMatchObject({
    unsettled: { seq: '4', waitingFor: [toHex(OTHER)] },
  })
})

test('status warns of what is wrong', async () => {
  const node = nodeWith('notes')
  node.status = {
    floating: 2n,
    rejections: 1n,
    forkedAuthors: 1,
    stalled: create(daemon.ProjectionStalledSchema, { seq: 7n, intentionId: idOf(5), error: 'it throws' }),
    peers: 3,
    peersOnline: 2,
    peersConnected: 1,
  }
  const { stdout } = await run(shell('store status'), node)
  expect(stdout).toMatchInlineSnapshot(`
    "store         notes
    id            1111111111111111111111111111111111111111111111111111111111111111
    type          core:kvstore
    state         active
    peers         3 peers with this node, 2 online
    strategy      independent: peers of its own
    sync          comparing with the connected peers
    keys          3
    intentions    5 witnessed, 2 floating
    authors       1, 1 fork, all joined
    rejections    1
    seen by all   0 of 5 by every peer that writes
    projection    STALLED at 7 (050505050505): it throws
    size          log 0 B, state 0 B
    fingerprint
    state digest  d1d1d1d1d1d1
    "
  `)
})
