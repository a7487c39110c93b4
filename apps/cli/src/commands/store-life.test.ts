import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { beforeEach, describe, expect, test } from 'vitest'
import { OTHER } from '../../test/fake-life.ts'
import { createFakeNode, type FakeNode, idOf } from '../../test/fake-node.ts'
import { type Ran, run, type RunOptions } from '../../test/fake-process.ts'

const REFUSED = 5
let node: FakeNode

beforeEach(() => {
  node = createFakeNode(['team'])
})

const at = (line: string, options: RunOptions = {}): Promise<Ran> => run(line.split(' '), { ...node, ...options })

async function child(): Promise<void> {
  expect((await at('store create notes --parent team')).exitCode).toBe(0)
}

async function stateOf(store: string): Promise<string> {
  const { stdout } = await at('--json store list')
  const { stores } = JSON.parse(stdout) as { readonly stores: readonly { path: string; state: string }[] }
  return stores.find(({ path }) => path === store)?.state ?? 'none'
}

describe('creating', () => {
  test.each([
    ['inherited', daemon.ChildStrategy.INHERITED],
    ['independent', daemon.ChildStrategy.INDEPENDENT],
    ['snapshot', daemon.ChildStrategy.SNAPSHOT],
  ])('a child may have %s peers', async (strategy, expected) => {
    const { exitCode, stdout } = await at(`store create notes --parent team --strategy ${strategy}`)
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('team/notes') as string })
    expect(node.requests).toContain(`store.create strategy=${expected}`)
  })

  test('a root has peers of its own, so a strategy for it is misuse', async () => {
    const { exitCode, stderr } = await at('store create other --strategy independent')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('--strategy is for a child')
    expect(node.requests).not.toContain('store.create')
    expect((await at('store create x --parent team --strategy shared')).exitCode).toBe(2)
  })
})

describe('archiving', () => {
  test('closes a child, which still tells what it is, and unarchiving opens it', async () => {
    await child()
    const archived = await at('store archive team/notes')
    expect(archived).toMatchObject({ exitCode: 0, stdout: 'archived team/notes (414141414141)\n' })
    expect(archived.stderr).toContain('every node closes it and keeps its data')
    const status = await at('store status team/notes')
    expect(status.exitCode).toBe(0)
    expect(status.stdout).toMatchInlineSnapshot(`
      "store  team/notes
      id     4141414141414141414141414141414141414141414141414141414141414141
      type   core:kvstore
      state  archived
      data   on this node
             closed on every node; 'store unarchive team/notes' opens it again
      "
    `)
    expect(JSON.parse((await at('--json store status team/notes -v')).stdout)).toMatchObject({
      state: 'STORE_STATE_ARCHIVED',
      hasData: true,
    })
    expect((await at('store unarchive team/notes')).stdout).toBe('unarchived team/notes (414141414141)\n')
    expect(await stateOf('team/notes')).toBe('STORE_STATE_ACTIVE')
  })

  test('is refused for a root, and by whoever is no admin', async () => {
    expect((await at('store archive team')).exitCode).toBe(1)
    node.life.isAdmin = false
    await child()
    expect((await at('store archive team/notes')).exitCode).toBe(REFUSED)
  })
})

describe('destroying', () => {
  test('does nothing without consent: with nobody to ask, or another name typed', async () => {
    const alone = await at('store destroy team')
    expect(alone).toMatchObject({ exitCode: REFUSED, stdout: '' })
    expect(alone.stderr).toContain('--yes')
    for (const types of ['no\n', 'Team\n', '\n', '']) {
      expect((await at('store destroy team', { isTerminal: true, types })).exitCode).toBe(REFUSED)
    }
    const json = await at('--json store destroy team')
    expect(json.stdout).toBe('')
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'NOT_CONFIRMED' } })
    expect(node.requests.filter((each) => each.startsWith('store.destroy'))).toEqual([])
    expect(await stateOf('team')).toBe('STORE_STATE_ACTIVE')
  })

  test('asks for the path, says what will happen to whom, and whom it waits for', async () => {
    await child()
    node.life.awaited = [OTHER]
    const { exitCode, stdout, stderr } = await at('store destroy team', { isTerminal: true, types: 'team\n' })
    expect(exitCode).toBe(0)
    expect(stderr).toContain('This ends team (111111111111) and the 1 store below it for everybody.')
    expect(stderr).toContain('type team to destroy it')
    expect(stdout).toContain('destroyed team (111111111111)')
    expect(stderr).toContain('waiting for 1 peer to acknowledge: nas; then its data is deleted')
    const status = await at('store status team')
    expect(status).toMatchObject({ exitCode: 0 })
    // It does not tell its peers' names any more.
    expect(status.stdout).toMatch(/waiting +for 1 peer to acknowledge: cdcdcdcdcdcd/u)
    expect((await at('store list')).stdout).toMatch(/team .* destroyed +waiting for 1 peer/u)
  })

  test('with --json answers with one document, whoever is asked', async () => {
    const options = { isTerminal: true, types: 'team\n' }
    const { stdout } = await at('--json store destroy team', options)
    expect(JSON.parse(stdout)).toMatchObject({ id: toHex(idOf(0x11)), state: 'STORE_STATE_DESTROYED', awaiting: [] })
  })

  test('takes --yes for consent, and an active child is refused', async () => {
    await child()
    const active = await at('store destroy team/notes --yes')
    expect(active.exitCode).toBe(1)
    expect(active.stderr).toContain('archive the store first')
    await at('store archive team/notes')
    const done = await at('store destroy team/notes --yes')
    expect(done).toMatchObject({ exitCode: 0, stderr: 'its data is deleted\n' })
  })
})

describe('leaving', () => {
  test('is refused with the way round it when nobody else is known to hold everything', async () => {
    node.life.isReplicated = false
    const refused = await at('store leave team')
    expect(refused).toMatchObject({ exitCode: REFUSED, stdout: '' })
    expect(refused.stderr).toContain('no other peer is known to hold everything')
    expect(refused.stderr).toContain('--force leaves all the same')
    expect(await stateOf('team')).toBe('STORE_STATE_ACTIVE')
    const forced = await at('store leave team --force')
    expect(forced).toMatchObject({ exitCode: 0, stdout: 'left team (111111111111)\n' })
    expect(forced.stderr).toContain("'store rejoin team' takes part again")
  })

  test('is undone by rejoining', async () => {
    await at('store leave team')
    expect(await at('store rejoin team')).toMatchObject({ exitCode: 0, stdout: 'rejoined team (111111111111)\n' })
    expect(await stateOf('team')).toBe('STORE_STATE_ACTIVE')
    expect((await at('store rejoin team')).exitCode).toBe(1)
  })
})

describe('deleting', () => {
  test('needs a store that was left, and consent', async () => {
    expect((await at('store delete team --yes')).exitCode).toBe(1)
    await at('store leave team')
    expect((await at('store delete team')).exitCode).toBe(REFUSED)
    expect((await at('store delete team', { isTerminal: true, types: 'x\n' })).exitCode).toBe(REFUSED)
    const done = await at('store delete team', { isTerminal: true, types: 'team\n' })
    expect(done).toMatchObject({ exitCode: 0, stdout: 'deleted the data of team (111111111111): 12.3 kB freed\n' })
    expect(done.stderr).toContain('The other nodes keep theirs; to have it again, join with a new invite.')
    expect((await at('store list')).stdout).toMatch(/ not joined$/mu)
  })

  test('of what is nowhere else takes --force', async () => {
    await at('store leave team')
    node.life.isReplicated = false
    const refused = await at('store delete team --yes')
    expect(refused.exitCode).toBe(REFUSED)
    expect(refused.stderr).toContain('--force deletes all the same')
    const json = await at('--json store delete team --yes --force')
    expect(JSON.parse(json.stdout)).toEqual({ bytes: '12345', stores: 1 })
    expect(node.requests).toContain('store.deleteData confirmed=true force=true')
  })
})

test('a store that is gone is not found, by any act', async () => {
  for (const act of ['archive', 'unarchive', 'destroy --yes', 'leave', 'rejoin', 'delete --yes']) {
    expect((await at(`store ${act.replace(' ', ' nope ')}${act.includes(' ') ? '' : ' nope'}`)).exitCode).toBe(3)
  }
})

test('the listing dims what is out of use, and says what is missing and what failed', async () => {
  const { ACTIVE, ARCHIVED, DESTROYED, FAILED } = daemon.StoreState
  const store = (byte: number, fields: MessageInitShape<typeof daemon.StoreInfoSchema>): daemon.StoreInfo =>
    create(daemon.StoreInfoSchema, { id: idOf(byte), storeType: 'core:kvstore', hasData: true, ...fields })
  const stores = [
    store(1, { path: 'a', state: ARCHIVED }),
    store(2, { path: 'b', state: ACTIVE, hasData: false }),
    store(3, { path: 'c', state: FAILED, errorCode: 'LOG_DAMAGED', error: 'records are damaged' }),
    store(4, { path: 'a/d', parentId: idOf(1), state: DESTROYED, awaiting: [OTHER, idOf(5)] }),
  ]
  const backend = {
    ...node.backend,
    store: { ...node.backend.store, list: async () => create(daemon.ListStoresResponseSchema, { stores }) },
  }
  expect((await run(['store', 'list'], { backend })).stdout).toMatchInlineSnapshot(`
    "STORE  ID            TYPE          STATE
    a      010101010101  core:kvstore  archived
    b      020202020202  core:kvstore  active                no data here
    c      030303030303  core:kvstore  failed (LOG_DAMAGED)  records are damaged
    a/d    040404040404  core:kvstore  destroyed             waiting for 2 peers
    "
  `)
  expect((await run(['store', 'list', '--tree'], { backend })).stdout).toMatchInlineSnapshot(`
    "STORE  ID            TYPE          STATE
    a      010101010101  core:kvstore  archived
      d    040404040404  core:kvstore  destroyed             waiting for 2 peers
    b      020202020202  core:kvstore  active                no data here
    c      030303030303  core:kvstore  failed (LOG_DAMAGED)  records are damaged
    "
  `)
  const coloured = await run(['store', 'list'], { backend, isTerminal: true, columns: 120 })
  expect(coloured.stdout).toContain('\u001B[2ma')
})
