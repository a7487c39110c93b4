/** Backups of real daemons: made while they write, restored after the machine is lost, and every way to be refused. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createDaemonGroup, ok, SLOW } from './daemon-group.ts'
import { type Finished, lattice, start } from './processes.ts'

const INTEGRITY = 6
const FLAGS = ['--no-relay', '--bind', '127.0.0.1:0'] as const

/** Some twenty processes, one after another. */
const PATIENCE_MS: number = 4 * SLOW

const { daemon, folder, on, running } = createDaemonGroup('lattice-backup-')

const json = async <T>(finished: Promise<Finished>): Promise<T> => JSON.parse(await ok(finished)) as T

describe('a node that is lost', () => {
  test(
    'is there again from a backup made while it wrote: nothing that a peer has is lost, and nothing forks',
    async () => {
      const [a, b, back] = [on('a'), on('b'), on('back')]
      const [, lost] = await Promise.all([daemon('a', ...FLAGS), daemon('b', ...FLAGS)])
      await ok(a('store', 'create', 'team'))
      await ok(b('store', 'join', (await ok(a('peer', 'invite'))).trim()))
      const watch = start(['--data-dir', folder('b'), '--json', 'watch', 'during', 'snapshot=true'])
      running.add(watch)
      await watch.line('snapshotEnd')
      const script = Array.from({ length: 2000 }, (_, n) => `put during${n} v${n}`).join('\n')
      const writing = lattice(['--data-dir', folder('b'), '--store', 'team', 'repl'], script)
      const place = join(folder('backups'), 'one')
      await watch.line('during9"')
      const made = await json<object>(b('--json', 'backup', place))
      expect(made).toMatchObject({ directory: place, stores: 1, withIdentity: true, leftOut: [] })
      await ok(writing)
      await ok(b('put', 'after', 'the backup'))
      await ok(b('store', 'sync'))
      expect(await ok(a('get', 'after'))).toBe('the backup\n')
      await lost.end('SIGKILL')

      expect(await ok(lattice(['restore', '--verify', place]))).toMatch(/^the backup is good[\s\S]*team +active/u)
      const restored = await json<object>(lattice(['--json', '--data-dir', folder('back'), 'restore', place]))
      expect(restored).toMatchObject({ dataDir: folder('back'), heldStores: 1, withIdentity: true })
      await daemon('back', ...FLAGS)
      await ok(back('store', 'sync'))
      await ok(back('put', 'again', 'written'))
      expect(await ok(back('get', 'after'))).toBe('the backup\n')
      expect(await ok(back('get', 'during1999'))).toBe('v1999\n')
      await ok(back('store', 'sync'))
      expect(await ok(a('get', 'again'))).toBe('written\n')
      const status = await json<object>(a('--json', 'store', 'status'))
      expect(status).toMatchObject({ openForks: 0 })
      expect(await ok(back('store', 'verify', '--full'))).toMatch(/result +sound/u)
    },
    PATIENCE_MS,
  )

  test(
    'writes at once where it is told to, or was alone, and not before a peer was there otherwise',
    async () => {
      const [c, d, alone] = [on('c'), on('d'), on('alone')]
      const [first, second] = await Promise.all([daemon('c', ...FLAGS), daemon('d', ...FLAGS)])
      await ok(c('store', 'create', 'team'))
      await ok(d('store', 'join', (await ok(c('peer', 'invite'))).trim()))
      const place = join(folder('backups'), 'two')
      await ok(c('backup', place))
      await Promise.all([first.end('SIGTERM'), second.end('SIGTERM')])
      await ok(lattice(['restore', place, '--to', folder('held')]))
      const held = await daemon('held', '--offline')
      const refused = await on('held')('put', 'k', 'v')
      expect(refused.exitCode).toBe(1)
      expect(refused.stderr).toContain('restored from a backup')
      expect(refused.stderr).toContain('store repair --accept-fork')
      expect(await ok(on('held')('store', 'status'))).toContain('restored from a backup')
      await ok(on('held')('store', 'repair', '--accept-fork'))
      await ok(on('held')('put', 'k', 'v'))
      await held.end('SIGTERM')
      await ok(lattice(['restore', place, '--to', folder('alone'), '--offline-ok']))
      const impatient = await daemon('alone', '--offline')
      await ok(alone('put', 'k', 'v'))
      await impatient.end('SIGTERM')
    },
    PATIENCE_MS,
  )
})

describe('what is refused', () => {
  test(
    'a place that is taken, a backup that is not good, a key that is missing or of another node',
    async () => {
      const e = on('e')
      const node = await daemon('e', '--offline')
      await ok(e('store', 'create', 'notes'))
      await ok(e('put', 'k', 'v'))
      const place = join(folder('backups'), 'three')
      expect(await ok(e('backup', place, '--no-identity'))).toContain('the identity key is not inside')
      expect((await stat(join(place, 'meta.db'))).mode & 0o777).toBe(0o600)
      expect((await stat(place)).mode & 0o777).toBe(0o700)
      expect(await readdir(place)).not.toContain('identity.key')
      const refuses = async (sentence: string, code: number, ...argv: readonly string[]): Promise<void> => {
        const { exitCode, stderr, stdout } = await lattice(argv)
        expect(stderr).toContain(sentence)
        expect(stdout).toBe('')
        expect(exitCode).toBe(code)
      }
      const at = ['--data-dir', folder('e')]
      await refuses('it holds a backup already', 1, ...at, 'backup', place)
      await refuses('inside the data directory', 1, ...at, 'backup', join(folder('e'), 'backup'))
      await refuses('is in use by process', 1, ...at, 'restore', place)
      await node.end('SIGTERM')
      await refuses('it is not empty', 1, ...at, 'restore', place)
      await refuses('made without the identity key', INTEGRITY, 'restore', place, '--to', folder('n'))
      const key = join(folder('keys'), 'key')
      await mkdir(folder('keys'), { recursive: true })
      await writeFile(key, new Uint8Array(32).fill(7))
      await refuses('belongs to node', INTEGRITY, 'restore', place, '--to', folder('n'), '--identity', key)
      expect(await readdir(join(folder('e'), '..'))).not.toContain('n')
      await ok(lattice(['restore', place, '--to', folder('n'), '--identity', join(folder('e'), 'identity.key')]))
      expect((await stat(join(folder('n'), 'identity.key'))).mode & 0o777).toBe(0o600)
      const restored = await daemon('n', '--offline')
      expect(await ok(on('n')('get', 'k'))).toBe('v\n')
      await restored.end('SIGTERM')

      const manifest = await readFile(join(place, 'backup.json'))
      await rm(join(place, 'backup.json'))
      await refuses('has no backup.json', INTEGRITY, 'restore', '--verify', place)
      manifest[100] = (manifest[100] ?? 0) ^ 1
      await writeFile(join(place, 'backup.json'), manifest)
      const bad = await lattice(['--json', 'restore', '--verify', place])
      expect(bad.exitCode).toBe(INTEGRITY)
      expect(JSON.parse(bad.stderr)).toMatchObject({
        error: { code: 'BACKUP_INVALID', detail: { problems: [expect.any(String)] } },
      })
    },
    PATIENCE_MS,
  )

  test(
    'help says how',
    async () => {
      expect(await ok(lattice(['help', 'backup']))).toContain('lattice backup ./copy --no-identity')
      expect(await ok(lattice(['help', 'restore']))).toContain('lattice restore ./copy --to')
      expect(await ok(lattice(['help']))).toMatch(/backup \[options\] <dir> +copy the node with all its stores/u)
    },
    PATIENCE_MS,
  )
})
