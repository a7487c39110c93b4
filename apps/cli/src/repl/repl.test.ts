import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { create } from '@bufbuild/protobuf'
import { daemon, system } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFakeNode, type FakeNode, idOf } from '../../test/fake-node.ts'
import { createFakeTerminal, type FakeTerminal } from '../../test/fake-terminal.ts'
import { isWorthKeeping, MAX_HISTORY_LINES, readHistory, writeHistory } from './history-file.ts'
import { promptText } from './prompt-text.ts'
import { runRepl } from './run-repl.ts'
import { quoteWord, splitTyped, tokenize } from './tokenize.ts'
import { PLAIN_STYLE } from '../render/style.ts'

describe('words of a line', () => {
  test.each([
    ['put k v', ['put', 'k', 'v']],
    ['  put   k\tv ', ['put', 'k', 'v']],
    [`put 'a b' "c d"`, ['put', 'a b', 'c d']],
    [`put "a\\"b" 'c\\d'`, ['put', 'a"b', String.raw`c\d`]],
    [String.raw`put a\ b`, ['put', 'a b']],
    [`put a'b c'd`, ['put', 'ab cd']],
    [`put ''`, ['put', '']],
    [String.raw`put "a\nb"`, ['put', String.raw`a\nb`]],
    ['', []],
  ])('%s', (line, words) => {
    expect(tokenize(line)).toEqual({ ok: true, value: words })
  })

  test.each([`put 'a`, 'put "a', 'put a\\', `put "a'`])('%s is not closed', (line) => {
    expect(tokenize(line).ok).toBe(false)
  })

  test('a quoted word reads back as it was, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => {
        expect(tokenize(words.map(quoteWord).join(' '))).toEqual({ ok: true, value: words })
      }),
    )
  })

  test('what is typed so far splits the same way', () => {
    expect(splitTyped(`put 'a b`)).toEqual({
      words: [
        { text: 'put', start: 0 },
        { text: 'a b', start: 4 },
      ],
      isOpen: true,
    })
    expect(splitTyped('put ')).toMatchObject({ isOpen: false })
  })
})

describe('the prompt', () => {
  const store = create(daemon.StoreInfoSchema, { id: idOf(1), name: 'notes', path: 'team/notes' })
  const status = (fields: Partial<daemon.StoreStatus>): daemon.StoreStatus =>
    Object.assign(create(daemon.StoreStatusSchema), fields)

  test('says which store, and how it stands with its peers', () => {
    expect(promptText(undefined, undefined, PLAIN_STYLE)).toBe('lattice> ')
    expect(promptText(store, undefined, PLAIN_STYLE)).toBe('team/notes> ')
    expect(promptText(store, status({ peersConnected: 0, synced: true }), PLAIN_STYLE)).toBe('team/notes ○> ')
    expect(promptText(store, status({ peersConnected: 1, synced: true }), PLAIN_STYLE)).toBe('team/notes ●> ')
    expect(promptText(store, status({ peersConnected: 1, synced: false }), PLAIN_STYLE)).toBe('team/notes ◐> ')
    expect(promptText(store, status({ stalled: create(daemon.ProjectionStalledSchema) }), PLAIN_STYLE)).toBe(
      'team/notes !> ',
    )
  })
})

describe('history', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lattice-cli-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test("reads back newest first, bounded, and is its owner's alone", async () => {
    const file = join(folder, 'cli', 'history')
    const lines = Array.from({ length: MAX_HISTORY_LINES + 50 }, (_, index) => `put k${index} v`)
    await writeHistory(file, lines)
    expect(await readHistory(file)).toEqual(lines.slice(0, MAX_HISTORY_LINES))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('invite tokens never enter it', async () => {
    const file = join(folder, 'history')
    await writeHistory(file, ['store join LATTICE1pqq3ygrqmpr8gk2nprxl0', 'put k v', ' '])
    expect(await readFile(file, 'utf8')).toBe('put k v\n')
    expect(isWorthKeeping('x'.repeat(5000))).toBe(false)
  })

  test('what cannot be read or written costs nothing but itself', async () => {
    expect(await readHistory(join(folder, 'none'))).toEqual([])
    await writeFile(join(folder, 'file'), '')
    await expect(writeHistory(join(folder, 'file', 'history'), ['a'])).resolves.toBeUndefined()
  })
})

describe('on a terminal', () => {
  let node: FakeNode
  let terminal: FakeTerminal
  let done: Promise<number>
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lattice-cli-'))
    node = createFakeNode(['notes', 'team'])
    terminal = createFakeTerminal()
    const { input, output } = terminal
    done = runRepl({
      backend: node.backend,
      input,
      output,
      store: 'notes',
      colour: false,
      historyFile: join(folder, 'history'),
    })
    await terminal.until('notes ○> ')
  })
  afterEach(async () => {
    terminal.input.end()
    await done
    await rm(folder, { recursive: true })
  })

  test('says where one is, runs commands, and leaves with quit', async () => {
    terminal.type('put k v\r')
    await terminal.until('ok id=010101010101\nnotes ○> ')
    terminal.type('get k\r')
    await terminal.until('\nv\nnotes ○> ')
    terminal.type('quit\r')
    expect(await done).toBe(0)
  })

  test('Ctrl-D leaves', async () => {
    terminal.type('\u0004')
    expect(await done).toBe(0)
  })

  test('an error is told and never ends it', async () => {
    terminal.type('frob\r')
    await terminal.until("error: 'frob' is neither a command nor a method")
    terminal.type("put 'a\r")
    await terminal.until("error: the quote ' is not closed")
    terminal.type('store frob\r')
    await terminal.until("error: unknown command 'frob'")
    node.failWith('NOT_ADMIN', 'ask an administrator')
    terminal.type('put k v\r')
    await terminal.until('error: ask an administrator')
    node.failWith(undefined)
    terminal.type('put k v\r')
    await terminal.until('ok id=')
  })

  test('a line that nobody entered is not run when the terminal goes away', async () => {
    terminal.type('put k v')
    await terminal.until('put k v')
    terminal.input.end()
    expect(await done).toBe(0)
    expect(node.requests).not.toContain('exec Put')
  })

  test('use selects a store, and the prompt follows', async () => {
    terminal.type('use team\r')
    await terminal.until('using team (222222222222)\nteam')
    terminal.type('put k v\r')
    await terminal.until('ok id=')
    expect(node.keys(idOf(0x22)).get('k')).toBe('v')
    terminal.type('use nope\r')
    await terminal.until("error: there is no store 'nope'")
  })

  test('Ctrl-C clears the line', async () => {
    terminal.type('put k wrong\u0003')
    await terminal.until('wrong')
    terminal.type('put k right\r')
    await terminal.until('ok id=')
    expect(node.keys(idOf(0x11)).get('k')).toBe('right')
  })

  test('watch runs beside the prompt; subs lists it and unsub ends it', async () => {
    const followed = node.followed()
    terminal.type('watch k\r')
    await followed
    await terminal.until('[1] watch k\n')
    terminal.type('put key v\r')
    await terminal.until('put key=key value=v\n')
    terminal.type('subs\r')
    await terminal.until('1  watch k')
    terminal.type('unsub 1\r')
    await terminal.until('ended 1 stream')
    terminal.type('unsub 1\r')
    await terminal.until('error: nothing runs as 1')
  })

  test('events appear above what is being typed, and the prompt is drawn anew', async () => {
    terminal.type('put k')
    await terminal.until('put k')
    node.status = { peersConnected: 1, synced: true }
    node.emit({ case: 'peerOnline', value: create(daemon.PeerOnlineSchema, { peer: idOf(0xcd) }) })
    await terminal.until('· peer cdcdcdcdcdcd is online\n')
    await terminal.until('notes ●> put k')
    terminal.type(' v\r')
    await terminal.until('ok id=')
    expect(node.keys(idOf(0x11)).get('k')).toBe('v')
  })

  /** Tab makes `whole` of what is typed; the line is then given up. */
  async function completed(typed: string, whole: string): Promise<void> {
    terminal.type(`${typed}\t`)
    await terminal.until(whole)
    terminal.type('\u0003')
    await terminal.until('\n')
  }

  test('Tab completes commands, subcommands, stores, methods, fields and keys', async () => {
    terminal.type('put alpha 1\rput beta 2\rput "be ta" 3\r')
    await terminal.until('ok id=030303030303\nnotes ○> ')
    await completed('no', 'node ')
    await completed('store reb', 'store rebuild ')
    await completed('store create --ro', 'store create --root ')
    await completed('use te', 'use team ')
    await completed('insp', 'inspect ')
    await completed('get al', 'get alpha ')
    await completed('get key=al', 'get key=alpha ')
    await completed('list lim', 'list limit=')
    await completed('get "be t', "get 'be ta' ")
    await completed('help bat', 'help batch ')
    node.failWith('INTERNAL')
    await completed('get al', 'get al')
  })

  test('Tab completes the arguments of commands: stores, peers, invites, choices and topics', async () => {
    node.life.invites.push(
      create(daemon.InviteInfoSchema, { tokenHash: idOf(0x31), status: system.InviteStatus.OPEN }),
      create(daemon.InviteInfoSchema, { tokenHash: idOf(0x32), status: system.InviteStatus.CANCELLED }),
    )
    await completed('store arch', 'store archive ')
    await completed('store archive te', 'store archive team ')
    await completed('store create x --parent no', 'store create x --parent notes ')
    await completed('store create x --parent notes --strategy sn', 'store create x --parent notes --strategy snapshot ')
    await completed('store create --type core', 'store create --type core:kvstore ')
    await completed('store delete team --f', 'store delete team --force ')
    await completed('peer role na', 'peer role nas ')
    await completed('peer role cd', 'peer role cdcdcdcdcdcd ')
    await completed('peer role nas ad', 'peer role nas admin ')
    await completed('peer cancel-invite 3', 'peer cancel-invite 313131313131 ')
    await completed('peer invite --role rea', 'peer invite --role reader ')
    await completed('help invi', 'help invites ')
    await completed('help store unar', 'help store unarchive ')
  })

  test('a question takes the place of the prompt, and its answer is no command', async () => {
    terminal.type('store destroy team\r')
    await terminal.until('type team to destroy it: ')
    node.emit({ case: 'peerOnline', value: create(daemon.PeerOnlineSchema, { peer: idOf(0xcd) }) })
    await terminal.until('is online\ntype team to destroy it: ')
    terminal.type('team\r')
    await terminal.until('destroyed team (222222222222)')
    terminal.type('put after v\r')
    await terminal.until('ok id=')
    terminal.type('quit\r')
    await done
    expect(await readHistory(join(folder, 'history'))).toEqual(['quit', 'put after v', 'store destroy team'])
  })

  test('Ctrl-C leaves a question with nothing done, and the next line is a command again', async () => {
    terminal.type('store destroy team\r')
    await terminal.until('type team to destroy it: ')
    terminal.type('te\u0003')
    await terminal.until('notes')
    terminal.type('put k v\r')
    await terminal.until('ok id=')
    expect(node.requests).not.toContain('store.destroy')
    expect(node.keys(idOf(0x11)).get('k')).toBe('v')
  })

  test('the prompt tells when the selected store is out of use, by whoever it was done, and when it is back', async () => {
    terminal.type('store leave\r')
    await terminal.until('notes (left)> ')
    terminal.type('store rejoin\r')
    await terminal.until('notes ○> ')
    const { stores } = await node.backend.store.list({})
    const [notes] = stores
    if (notes === undefined) throw new Error('there is a store')
    const archived = { ...notes, state: daemon.StoreState.ARCHIVED }
    node.emit({ case: 'storeChanged', value: archived })
    await terminal.until('notes (archived)> ')
    node.emit({ case: 'storeRemoved', value: create(daemon.StoreRemovedSchema, { storeId: notes.id }) })
    await terminal.until('lattice> ')
  })

  test('what was typed is there the next time', async () => {
    terminal.type('put k v\r')
    await terminal.until('ok id=')
    terminal.type('store join lattice1pqq3ygrqmpr8gk2nprxl0\r')
    await terminal.until('error:')
    terminal.type('quit\r')
    await done
    expect(await readHistory(join(folder, 'history'))).toEqual(['quit', 'put k v'])
  })
})

describe('as a script', () => {
  interface ScriptOptions {
    readonly json?: boolean
    readonly node?: FakeNode
  }

  async function script(
    text: string,
    { json = false, node = createFakeNode(['notes']) }: ScriptOptions = {},
  ): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const printed = { stdout: '', stderr: '' }
    const collect = (name: 'stdout' | 'stderr'): PassThrough =>
      new PassThrough().on('data', (chunk: Buffer) => {
        printed[name] += chunk.toString()
      })
    const input = new PassThrough()
    input.end(text)
    const exitCode = await runRepl({
      backend: node.backend,
      input,
      output: collect('stdout'),
      errors: collect('stderr'),
      json,
    })
    return { exitCode, ...printed }
  }

  test('reads commands line by line, without a prompt', async () => {
    expect(await script('# a comment\n\nput k v\nget k\nlattice count')).toEqual({
      exitCode: 0,
      stdout: 'ok id=010101010101\nv\n1\n',
      stderr: '',
    })
  })

  test('goes on after an error, and ends with the code of the first', async () => {
    expect(await script('get nothing\nfrob --x\nput k v\n')).toMatchObject({
      exitCode: 3,
      stdout: 'ok id=010101010101\n',
      stderr: expect.stringContaining('found nothing') as string,
    })
  })

  test('with JSON each command is one line', async () => {
    const { stdout } = await script('put k v\nget k\n', { json: true })
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([{ id: '01'.repeat(32) }, { value: 'v', conflicted: false }])
  })

  test('stops with 4 when no daemon answers any more', async () => {
    const node = createFakeNode(['notes'])
    node.failWith('DAEMON_UNREACHABLE', 'no daemon answers')
    const { exitCode, stdout, stderr } = await script('put k v\nput k w\nput k x\n', { node })
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' })
    expect(node.requests.filter((each) => each !== 'store.list')).toEqual([])
    expect(stderr.match(/no daemon answers/gu)).toHaveLength(1)
  })

  test('cannot be asked: what needs consent takes --yes', async () => {
    expect(await script('store destroy\nnotes\n')).toMatchObject({ exitCode: 5, stdout: '' })
    expect(await script('store destroy --yes\nstore status\n')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('destroyed') as string,
    })
  })

  test('quit ends it, whatever follows', async () => {
    expect(await script('quit\nput k v\n')).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  })
})
