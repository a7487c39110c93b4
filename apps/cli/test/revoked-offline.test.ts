/** Three real daemons: a peer is revoked while it is away and writes, and comes back. */
import { expect, test } from 'vitest'
import { createDaemonGroup, ok, SLOW } from './daemon-group.ts'
import { run, watchFor } from './fake-process.ts'

const FLAGS = ['--no-relay', '--bind', '127.0.0.1:0']
const LATER = ['first', 'second', 'third'] as const

const { daemon, folder, until } = createDaemonGroup('lattice-revoked-')

/** The command line at a node, in this process: there are dozens of commands. */
const on =
  (name: string) =>
  (...argv: readonly string[]): ReturnType<typeof run> =>
    run(['--data-dir', folder(name), ...argv])

interface Excluded {
  readonly entries: readonly unknown[]
}

test(
  'what a revoked peer wrote while it was away appears nowhere, and it is told',
  async () => {
    const [laptop, desk, nas] = [on('laptop'), on('desk'), on('nas')]
    const daemons = await Promise.all(['laptop', 'desk', 'nas'].map((name) => daemon(name, ...FLAGS)))
    await ok(laptop('store', 'create', 'team'))
    for (const joiner of [desk, nas]) await ok(joiner('store', 'join', (await ok(laptop('peer', 'invite'))).trim()))
    await ok(desk('put', 'before', 'counts'))
    const reads = async (name: string, key: string): Promise<string> => (await on(name)('get', key)).stdout.trim()
    const arrives = (name: string, key: string): Promise<void> => watchFor(['--data-dir', folder(name)], key, 'counts')
    for (const name of ['laptop', 'nas']) await arrives(name, 'before')

    expect(await daemons[1]?.end('SIGTERM')).toBe(0)
    const away = await daemon('desk', '--offline')
    for (const key of LATER) await ok(desk('put', key, 'unseen'))
    await ok(laptop('--store', 'team', 'peer', 'revoke', 'desk', '--yes', '--wait'))
    expect(await away.end('SIGTERM')).toBe(0)
    await daemon('desk', ...FLAGS)

    const stateAt = async (name: string): Promise<string> => {
      const { stores } = JSON.parse(await ok(on(name)('--json', 'store', 'list'))) as {
        readonly stores: readonly { readonly state: string }[]
      }
      return stores[0]?.state ?? ''
    }
    await until('desk', async () => (await stateAt('desk')) === 'STORE_STATE_REVOKED')
    const listed = await ok(desk('--json', 'store', 'debug', 'excluded', 'team'))
    expect((JSON.parse(listed) as Excluded).entries).toHaveLength(LATER.length)
    // So a list shows what is in one: what is not found in those of the others below is not there.
    for (const key of LATER) expect(listed).toContain(`"${key}\\" \\"unseen`)
    expect(JSON.parse((await desk('--json', '--store', 'team', 'put', 'more', 'x')).stderr)).toMatchObject({
      error: { code: 'REVOKED' },
    })

    // Writes of those who stay go on between them, so what the third has now is all it will have.
    await ok(laptop('put', 'after', 'counts'))
    await arrives('nas', 'after')
    for (const name of ['laptop', 'nas']) {
      expect(await reads(name, 'before')).toBe('counts')
      for (const key of LATER) expect((await on(name)('get', key)).stdout).toBe('')
      const kept = JSON.parse(await ok(on(name)('--json', 'store', 'debug', 'excluded', 'team'))) as Excluded
      expect(kept.entries).toEqual([])
      const floating = await ok(on(name)('--json', 'store', 'debug', 'floating', 'team'))
      expect(floating).toContain('"total"')
      for (const written of [...LATER, 'unseen']) expect(floating).not.toContain(written)
    }
    for (const key of LATER) expect((await desk('get', key)).stdout).toBe('')
    expect(await reads('desk', 'before')).toBe('counts')
  },
  2 * SLOW,
)
