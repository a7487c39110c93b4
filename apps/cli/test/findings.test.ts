/** `why` and `doctor` at real daemons: what a user sees when a peer is away, when it lost its data, and when all is well. */
import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connectBackend, type LatticeBackend } from '@lattice/api'
import { toHex } from '@lattice/model'
import { expect, test } from 'vitest'
import { createDaemonGroup, ok, SLOW } from './daemon-group.ts'
import type { Finished } from './processes.ts'

const { daemon, folder, on, until } = createDaemonGroup('lattice-findings-')

interface Found {
  readonly code: string
  readonly what: string
  readonly peerName: string
  readonly detailJson: string
}

async function found(finished: Promise<Finished>): Promise<readonly Found[]> {
  const { findings } = JSON.parse(await ok(finished)) as { readonly findings: readonly Found[] }
  return findings
}

const connect = (name: string): Promise<LatticeBackend> =>
  connectBackend({ socket: join(folder(name), 'lattice.sock') })

/** Exchanges with every connected peer; how many are equal then. */
async function sync({ store }: LatticeBackend, storeId: Uint8Array): Promise<number> {
  for await (const { progress } of store.sync({ storeId }))
    if (progress.case === 'summary') return progress.value.synced
  return 0
}

test(
  'a peer that is away, and one that lost its data',
  async () => {
    const [a, b] = [on('a'), on('b')]
    const flags = ['--no-relay', '--bind', '127.0.0.1:0']
    const [, second] = await Promise.all([daemon('a', ...flags), daemon('b', ...flags)])
    await using first = await connect('a')
    const { id } = await first.store.create({ name: 'team' })
    const { token } = await first.store.invite({ storeId: id })
    {
      await using guest = await connect('b')
      for await (const _progress of guest.store.join({ token }));
    }
    const codes = async (): Promise<readonly string[]> =>
      (await first.node.why({ storeId: id })).findings.map(({ code }) => code).filter((code) => code !== 'disk_low')
    // The newcomer acknowledges the epoch of its admission within a moment; what is known of it is as old as the last exchange.
    await until('a', async () => (await sync(first, id)) === 1 && (await codes()).length === 0)

    await second.end('SIGTERM')
    await ok(a('put', 'k', 'w'))
    await until('a', async () => (await codes()).includes('peer_offline'))
    const about = await found(a('--json', 'why', 'team', 'b'))
    expect(about.map(({ code }) => code)).toEqual(expect.arrayContaining(['peer_offline', 'peer_behind']))
    for (const { peerName } of about) expect(peerName).toBe('b')
    const text = await ok(a('why'))
    expect(text).toMatch(/^peers\n {2}! b is offline/mu)
    expect(text).toMatch(/^team {2}[0-9a-f]{12}\n/mu)
    expect(text).toContain('not known to be on any other machine')

    await rm(join(folder('b'), 'stores', toHex(id)), { recursive: true })
    await daemon('b', ...flags)
    await until('a', async () => (await first.node.getStatus({})).peers.length === 1)
    await sync(first, id)
    const { findings } = await first.node.why({ storeId: id, peer: 'b' })
    const refused = findings.find(({ code }) => code === 'peer_refused')
    expect(JSON.parse(refused?.detailJson ?? '{}')).toMatchObject({ code: 'STORE_NOT_FOUND' })
    const sick = await b('doctor')
    expect(sick.exitCode).toBe(6)
    expect(sick.stdout).toMatch(/✗ the store cannot be used: [\s\S]*→ .*lattice store repair/u)
    expect(sick.stderr).toContain('integrity')
  },
  2 * SLOW,
)

test(
  'a node by itself: the doctor tells all parts, and what is open to others',
  async () => {
    const at = on('alone')
    await daemon('alone', '--offline')
    await using node = await connect('alone')
    await node.store.create({ name: 'notes' })
    expect(await ok(at('why'))).toMatch(/without a network[\s\S]*on this machine only/u)
    const parts = await found(at('--json', 'doctor'))
    const versions = parts.find(({ code }) => code === 'versions')
    expect(versions?.what).toMatch(
      /^lattice \d+\.\d+\.\d+, Node\.js \d+\.\d+\.\d+, SQLite 3\.\d+\.\d+, (?:wasm|native) cryptography$/u,
    )
    for (const code of ['data_dir', 'identity', 'clock', 'network', 'peers', 'stores', 'size', 'integrity']) {
      expect(parts.map((part) => part.code)).toContain(code)
    }
    await chmod(join(folder('alone'), 'identity.key'), 0o644)
    const exposed = await at('doctor')
    expect(exposed.exitCode).toBe(1)
    expect(exposed.stdout).toContain('chmod 600')
  },
  2 * SLOW,
)
