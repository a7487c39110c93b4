/**
 * The life of stores, peers and invites between real daemons, as somebody new to it would go: every act by a command,
 * every effect awaited at the node that it is seen on.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createDaemonGroup, SLOW } from './daemon-group.ts'
import { type Ran, run, type RunOptions, watchFor } from './fake-process.ts'
import type { RunningProcess } from './processes.ts'

const FLAGS = ['--no-relay', '--bind', '127.0.0.1:0']
const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, refused: 5 } as const
/** The three that share everything; `guest` is a fourth that is let in nowhere. */
const MEMBERS = ['laptop', 'desk', 'nas'] as const

const { daemon, folder, running, until } = createDaemonGroup('lattice-life-')
const daemons = new Map<string, RunningProcess>()

interface Store {
  readonly id: string
  readonly path: string
  readonly state: string
  readonly hasData: boolean
  readonly awaiting: readonly string[]
}

interface Peer {
  readonly publicKey: string
  readonly name: string
  readonly role: string
  readonly status: string
}

/** The command line at a node, in this process: dozens of commands, on machines with few cores. */
const at =
  (name: string, options: RunOptions = {}) =>
  (...argv: readonly string[]): Promise<Ran> =>
    run(['--data-dir', folder(name), ...argv], options)

async function ok(ran: Promise<Ran>): Promise<string> {
  const { exitCode, stdout, stderr } = await ran
  expect(exitCode === EXIT.ok ? 'ok' : stderr).toBe('ok')
  return stdout.trimEnd()
}

/** The code of a refusal, with the exit code it has to end with. */
async function refused(name: string, exitCode: number, ...argv: readonly string[]): Promise<string> {
  const ran = await at(name)('--json', ...argv)
  expect({ exitCode: ran.exitCode, stdout: ran.stdout }).toEqual({ exitCode, stdout: '' })
  const { error } = JSON.parse(ran.stderr) as { readonly error: { readonly code: string } }
  return error.code
}

async function start(name: string): Promise<void> {
  daemons.set(name, await daemon(name, ...FLAGS))
}

async function stop(name: string): Promise<void> {
  const stopped = daemons.get(name)
  if (stopped === undefined) throw new Error(`${name} does not run`)
  expect(await stopped.end('SIGTERM')).toBe(0)
  running.delete(stopped)
}

async function restart(name: string): Promise<void> {
  await stop(name)
  await start(name)
}

async function storeAt(name: string, path: string): Promise<Store | undefined> {
  const { stores } = JSON.parse(await ok(at(name)('--json', 'store', 'list'))) as { readonly stores: readonly Store[] }
  return stores.find((store) => store.path === path)
}

async function peersAt(name: string, store: string): Promise<readonly Peer[]> {
  const { peers } = JSON.parse(await ok(at(name)('--json', '--store', store, 'peer', 'list'))) as {
    readonly peers: readonly Peer[]
  }
  return peers
}

function everywhere(names: readonly string[], path: string, holds: (store: Store | undefined) => boolean) {
  return Promise.all(names.map((name) => until(name, async () => holds(await storeAt(name, path)))))
}

const inState =
  (state: string) =>
  (store: Store | undefined): boolean =>
    store?.state === `STORE_STATE_${state}`

async function put(name: string, store: string, key: string, value: string): Promise<void> {
  await ok(at(name)('--store', store, 'put', key, value))
}

/** Awaits that the value has arrived. */
function reads(name: string, store: string, key: string, value: string): Promise<void> {
  return watchFor(['--data-dir', folder(name), '--store', store], key, value)
}

async function invite(name: string, store: string, ...options: readonly string[]): Promise<string> {
  return ok(at(name)('--store', store, 'peer', 'invite', ...options))
}

function hasFiles(name: string, id: string): boolean {
  return existsSync(join(folder(name), 'stores', id))
}

/** The store's data is gone at these nodes, by what they say and on their disks. */
async function gone(names: readonly string[], path: string): Promise<void> {
  await everywhere(names, path, (store) => inState('DESTROYED')(store) && store?.hasData === false)
  for (const name of names) expect(hasFiles(name, (await storeAt(name, path))?.id ?? '')).toBe(false)
}

describe('a team', () => {
  beforeAll(async () => {
    await Promise.all([...MEMBERS, 'guest'].map(start))
  }, 2 * SLOW)

  test(
    'begins with a root, which two join with one invite',
    async () => {
      const created = JSON.parse(await ok(at('laptop')('--json', 'store', 'create', 'team'))) as Store
      await put('laptop', 'team', 'k', 'v')
      const token = await invite('laptop', 'team', '--uses', '2')
      for (const name of ['desk', 'nas']) {
        expect(JSON.parse(await ok(at(name)('--json', 'store', 'join', token)))).toMatchObject({
          id: created.id,
          name: 'team',
        })
        await reads(name, 'team', 'k', 'v')
      }
      await put('nas', 'team', 'from-nas', '1')
      await reads('desk', 'team', 'from-nas', '1')
      await until('laptop', async () => {
        const names = (await peersAt('laptop', 'team')).map((peer) => peer.name)
        return names.toSorted().join(' ') === 'desk laptop nas'
      })
      const invites = await ok(at('laptop')('--store', 'team', 'peer', 'invites'))
      expect(invites).toMatch(/used up +writer +– .*(?:desk, nas|nas, desk)/u)
      expect(await refused('guest', EXIT.refused, 'store', 'join', token)).toBe('TOKEN_USED')
    },
    SLOW,
  )

  test(
    'refuses every other token by its own code, and leaves nothing behind',
    async () => {
      const expired = await invite('laptop', 'team', '--expires', '1ms')
      expect(await refused('guest', EXIT.refused, 'store', 'join', expired)).toBe('TOKEN_EXPIRED')
      const good = await invite('laptop', 'team', '--role', 'reader')
      const mistyped = `${good.slice(0, -1)}${good.endsWith('q') ? 'p' : 'q'}`
      expect(await refused('guest', EXIT.usage, 'store', 'join', mistyped)).toBe('TOKEN_MALFORMED')
      expect(await refused('laptop', EXIT.refused, 'store', 'join', good)).toBe('TOKEN_FOREIGN')
      const { invites } = JSON.parse(await ok(at('laptop')('--json', '--store', 'team', 'peer', 'invites'))) as {
        readonly invites: readonly { readonly tokenHash: string; readonly role: string }[]
      }
      const hash = invites.find(({ role }) => role === 'ROLE_READER')?.tokenHash ?? ''
      const prefix = hash.slice(0, 12)
      expect(await ok(at('laptop')('--store', 'team', 'peer', 'cancel-invite', prefix))).toContain(prefix)
      expect(await refused('guest', EXIT.refused, 'store', 'join', good)).toBe('TOKEN_REVOKED')
      expect(await refused('laptop', EXIT.failed, '--store', 'team', 'peer', 'cancel-invite', prefix)).toBe(
        'WRONG_STATE',
      )
      expect(await refused('laptop', EXIT.notFound, '--store', 'team', 'peer', 'cancel-invite', 'ffffffffff')).toBe(
        'INVITE_NOT_FOUND',
      )
      expect(await ok(at('guest')('store', 'list'))).toContain('no stores')
    },
    SLOW,
  )

  test(
    'has child stores that each member gets, by their path',
    async () => {
      await ok(at('laptop')('store', 'create', 'notes', '--parent', 'team'))
      await everywhere(MEMBERS, 'team/notes', inState('ACTIVE'))
      for (const name of MEMBERS) await put(name, 'team/notes', name, 'here')
      for (const name of MEMBERS) for (const key of MEMBERS) await reads(name, 'team/notes', key, 'here')
      expect(await ok(at('desk')('store', 'list', '--tree'))).toMatch(/^team .*\n {2}notes /mu)
      expect(await refused('desk', EXIT.refused, 'store', 'create', 'mine', '--parent', 'team')).toBe('NOT_ADMIN')
      expect(await refused('laptop', EXIT.failed, '--store', 'team/notes', 'peer', 'invite')).toBe('NOT_SUPPORTED')
    },
    SLOW,
  )

  test(
    'archives a child for all, over a restart, and has it back',
    async () => {
      expect(await refused('desk', EXIT.refused, 'store', 'archive', 'team/notes')).toBe('NOT_ADMIN')
      expect(await refused('laptop', EXIT.failed, 'store', 'archive', 'team')).toBe('WRONG_STATE')
      await ok(at('laptop')('store', 'archive', 'team/notes'))
      await everywhere(MEMBERS, 'team/notes', inState('ARCHIVED'))
      expect(await refused('nas', EXIT.failed, '--store', 'team/notes', 'put', 'k', 'v')).toBe('WRONG_STATE')
      expect(await ok(at('nas')('store', 'status', 'team/notes'))).toMatch(/state +archived\ndata +on this node/u)
      await restart('desk')
      expect(await storeAt('desk', 'team/notes')).toMatchObject({ state: 'STORE_STATE_ARCHIVED', hasData: true })
      await ok(at('laptop')('store', 'unarchive', 'team/notes'))
      await everywhere(MEMBERS, 'team/notes', inState('ACTIVE'))
      await put('nas', 'team/notes', 'again', 'yes')
      await reads('desk', 'team/notes', 'again', 'yes')
    },
    SLOW,
  )

  test(
    'destroys a child once every member has acknowledged, and its data is gone from every disk',
    async () => {
      expect(await refused('laptop', EXIT.failed, 'store', 'destroy', 'team/notes', '--yes')).toBe('WRONG_STATE')
      await ok(at('laptop')('store', 'archive', 'team/notes'))
      await everywhere(MEMBERS, 'team/notes', inState('ARCHIVED'))
      await stop('nas')
      expect(await refused('laptop', EXIT.refused, 'store', 'destroy', 'team/notes')).toBe('NOT_CONFIRMED')
      const asked = { isTerminal: true, types: 'team/notes\n', env: { NO_COLOR: '1' } }
      await ok(at('laptop', asked)('store', 'destroy', 'team/notes'))
      await everywhere(['laptop'], 'team/notes', (store) => store?.awaiting.length === 1)
      expect(await ok(at('laptop')('store', 'status', 'team/notes'))).toMatch(/waiting +for 1 peer .*: nas$/mu)
      const { id = '' } = (await storeAt('laptop', 'team/notes')) ?? {}
      expect(hasFiles('laptop', id)).toBe(true)
      await start('nas')
      await gone(MEMBERS, 'team/notes')
      expect(await refused('laptop', EXIT.failed, 'store', 'unarchive', 'team/notes')).toBe('WRONG_STATE')
    },
    SLOW,
  )

  test(
    'has a child with peers of its own, who are invited to it',
    async () => {
      await ok(at('laptop')('store', 'create', 'board', '--parent', 'team', '--strategy', 'independent'))
      await put('laptop', 'team/board', 'k', 'secret')
      const token = await invite('laptop', 'team/board')
      await ok(at('desk')('store', 'join', token))
      await reads('desk', 'team/board', 'k', 'secret')
      expect(await peersAt('desk', 'team/board')).toHaveLength(2)
      expect((await storeAt('nas', 'team/board'))?.hasData ?? false).toBe(false)
    },
    SLOW,
  )

  test(
    'names its peers, gives them stronger roles, and marks those that are away',
    async () => {
      const key = (await peersAt('laptop', 'team')).find((peer) => peer.name === 'nas')?.publicKey ?? ''
      await ok(at('laptop')('--store', 'team', 'peer', 'set-name', key.slice(0, 12), 'cellar'))
      await until('desk', async () => (await peersAt('desk', 'team')).some((peer) => peer.name === 'cellar'))
      expect(await refused('desk', EXIT.refused, '--store', 'team', 'peer', 'role', 'cellar', 'admin')).toBe(
        'NOT_ADMIN',
      )
      await ok(at('laptop')('--store', 'team', 'peer', 'role', 'desk', 'admin'))
      const isAdmin = async (): Promise<boolean> =>
        (await peersAt('desk', 'team')).some((peer) => peer.name === 'desk' && peer.role === 'ROLE_ADMIN')
      await until('desk', isAdmin)
      await ok(at('desk')('store', 'create', 'drafts', '--parent', 'team'))
      await everywhere(MEMBERS, 'team/drafts', inState('ACTIVE'))
      await ok(at('laptop')('--store', 'team', 'peer', 'role', 'desk', 'writer'))
      await until('desk', async () => !(await isAdmin()))
      expect(await refused('desk', EXIT.refused, '--store', 'team', 'peer', 'revoke', 'cellar', '--yes')).toBe(
        'NOT_ADMIN',
      )
      const { epochs } = JSON.parse(await ok(at('laptop')('--json', 'store', 'debug', 'epochs', 'team'))) as {
        readonly epochs: readonly { readonly cause: string; readonly fault: string }[]
      }
      expect(epochs[0]).toMatchObject({ cause: 'EPOCH_CAUSE_MEMBERSHIP', fault: '' })
      expect(await refused('laptop', EXIT.notFound, '--store', 'team', 'peer', 'role', 'nobody', 'admin')).toBe(
        'PEER_NOT_FOUND',
      )
      const statusAtDesk = async (): Promise<string | undefined> =>
        (await peersAt('desk', 'team')).find((peer) => peer.name === 'cellar')?.status
      await ok(at('laptop')('--store', 'team', 'peer', 'dormant', 'cellar'))
      await until('desk', async () => (await statusAtDesk()) === 'PEER_STATUS_DORMANT')
      await ok(at('laptop')('--store', 'team', 'peer', 'dormant', 'cellar', '--back'))
      await until('desk', async () => (await statusAtDesk()) === 'PEER_STATUS_ACTIVE')
    },
    SLOW,
  )

  test(
    'does not let go of what is nowhere else, unless forced',
    async () => {
      await ok(at('nas')('store', 'create', 'solo'))
      await put('nas', 'solo', 'only', 'here')
      expect(await refused('nas', EXIT.refused, 'store', 'leave', 'solo')).toBe('NOT_REPLICATED')
      await ok(at('nas')('store', 'leave', 'solo', '--force'))
      await restart('nas')
      expect(await storeAt('nas', 'solo')).toMatchObject({ state: 'STORE_STATE_LEFT', hasData: true })
      expect(await refused('nas', EXIT.refused, 'store', 'delete', 'solo', '--yes')).toBe('NOT_REPLICATED')
      await ok(at('nas')('store', 'rejoin', 'solo'))
      expect(await ok(at('nas')('--store', 'solo', 'get', 'only'))).toBe('here')
    },
    SLOW,
  )

  test(
    'is left and rejoined, and deleted and joined again with a new invite',
    async () => {
      const { id = '' } = (await storeAt('desk', 'team')) ?? {}
      await reads('laptop', 'team', 'from-nas', '1')
      await until('desk', async () => (await at('desk')('store', 'leave', 'team')).exitCode === EXIT.ok)
      expect(await storeAt('desk', 'team')).toMatchObject({ state: 'STORE_STATE_LEFT', hasData: true })
      await put('laptop', 'team', 'meanwhile', 'yes')
      await restart('desk')
      expect(await storeAt('desk', 'team')).toMatchObject({ state: 'STORE_STATE_LEFT' })
      await ok(at('desk')('store', 'rejoin', 'team'))
      await reads('desk', 'team', 'meanwhile', 'yes')
      expect(await refused('desk', EXIT.failed, 'store', 'delete', 'team', '--yes')).toBe('WRONG_STATE')
      await until('desk', async () => (await at('desk')('store', 'leave', 'team')).exitCode === EXIT.ok)
      expect(await refused('desk', EXIT.refused, 'store', 'delete', 'team')).toBe('NOT_CONFIRMED')
      await ok(at('desk')('store', 'delete', 'team', '--yes'))
      expect(hasFiles('desk', id)).toBe(false)
      await ok(at('desk')('store', 'join', await invite('laptop', 'team')))
      await reads('desk', 'team', 'meanwhile', 'yes')
      await put('desk', 'team', 'back', 'yes')
      await reads('nas', 'team', 'back', 'yes')
    },
    SLOW,
  )

  test(
    'ends for everybody, and no token opens it again',
    async () => {
      const token = await invite('laptop', 'team')
      await ok(at('laptop')('store', 'destroy', 'team', '--yes'))
      await gone(MEMBERS, 'team')
      await Promise.all(MEMBERS.map(restart))
      for (const name of MEMBERS) expect(await storeAt(name, 'team')).toMatchObject({ state: 'STORE_STATE_DESTROYED' })
      expect(await refused('guest', EXIT.refused, 'store', 'join', token)).toBe('TOKEN_UNKNOWN')
      expect(await ok(at('guest')('store', 'list'))).toContain('no stores')
    },
    SLOW,
  )
})
