/** Damage on real disks and under real processes: exit code 6, a sentence that says what to do, and the way back. */
import { copyFile, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createDaemonGroup, ok, SLOW } from './daemon-group.ts'
import { type Finished, lattice } from './processes.ts'

const INTEGRITY = 6
const PAGE = 4096

const { daemon, folder, on } = createDaemonGroup('lattice-integrity-')

/** Zeroes the page of a log that holds a text. */
async function destroy(path: string, text: string): Promise<void> {
  const content = await readFile(path)
  const file = await open(path, 'r+')
  let at = content.indexOf(text)
  expect(at).toBeGreaterThan(0)
  // A page that is free again may still hold what was there before.
  for (; at >= 0; at = content.indexOf(text, at + 1)) {
    await file.write(new Uint8Array(PAGE), 0, PAGE, Math.floor(at / PAGE) * PAGE)
  }
  await file.close()
}

/** Enough for a few pages. */
const LINES: string = Array.from({ length: 60 }, (_, n) => `put k${n} ${`value-${n}-`.padEnd(300, '.')}`).join('\n')

test(
  'a damaged log: verify names it, repair asks for a peer and changes nothing, and mends it once there is one',
  async () => {
    const [a, b] = [on('a'), on('b')]
    const flags = ['--no-relay', '--bind', '127.0.0.1:0']
    const [first, second] = await Promise.all([daemon('a', ...flags), daemon('b', ...flags)])
    const { id } = JSON.parse(await ok(a('--json', 'store', 'create', 'team'))) as { readonly id: string }
    await ok(lattice(['--data-dir', folder('a'), '--store', 'team', 'repl'], LINES))
    const token = (await ok(a('peer', 'invite'))).trim()
    await ok(b('store', 'join', token))
    expect(await ok(b('store', 'verify', 'team', '--full'))).toMatch(/result +sound/u)
    await second.end('SIGTERM')
    await first.end('SIGTERM')
    const log = join(folder('b'), 'stores', id, 'log.db')
    await destroy(log, 'value-30-')

    const alone = await daemon('b', '--offline')
    const verified = await b('--json', 'store', 'verify', id.slice(0, 8))
    expect(verified.exitCode).toBe(INTEGRITY)
    expect(JSON.parse(verified.stdout)).toMatchObject({ storeId: id, outcome: 'VERIFY_OUTCOME_RECORDS' })
    expect(JSON.parse(verified.stderr)).toMatchObject({ error: { code: 'LOG_DAMAGED' } })
    const before = await readFile(log)
    const refused = await b('store', 'repair', id.slice(0, 8))
    expect(refused.exitCode).toBe(INTEGRITY)
    expect(refused.stderr).toContain('was left as it is')
    expect((await readFile(log)).equals(before)).toBe(true)
    const status = await b('store', 'status', id.slice(0, 8))
    if (status.exitCode !== 0) {
      expect(status.exitCode).toBe(INTEGRITY)
      expect(status.stdout).toContain('store repair')
    }
    await alone.end('SIGTERM')

    await Promise.all([daemon('a', ...flags), daemon('b', ...flags)])
    const repaired = await ok(b('store', 'repair', id.slice(0, 8)))
    expect(repaired).toMatch(/result +whole again/u)
    expect(repaired).toContain('log.db.damaged')
    expect(await ok(b('--store', 'team', 'get', 'k30'))).toContain('value-30-')
    expect(await ok(b('store', 'verify', 'team'))).toMatch(/result +sound/u)
    await ok(b('--store', 'team', 'put', 'after', 'repair'))
    expect(await ok(b('store', 'repair', 'team'))).toMatch(/nothing was wrong/u)
  },
  SLOW,
)

describe('a data directory that is not whole', () => {
  async function makeNode(name: string): Promise<string> {
    const node = await daemon(name, '--offline')
    await ok(on(name)('store', 'create', 'notes'))
    await node.end('SIGTERM')
    return folder(name)
  }

  test(
    'is refused with exit 6 rather than opened as another node, or as an empty one',
    async () => {
      const [mine, other] = await Promise.all([makeNode('mine'), makeNode('other')])
      const start = async (): Promise<Finished> => lattice(['daemon', '--data-dir', mine, '--offline'])
      const refuses = async (sentence: string): Promise<void> => {
        const { exitCode, stderr } = await start()
        expect(stderr).toContain(sentence)
        expect(exitCode).toBe(INTEGRITY)
      }
      const [key, meta] = [join(mine, 'identity.key'), join(mine, 'meta.db')]
      const [keyBytes, metaBytes] = [await readFile(key), await readFile(meta)]
      await copyFile(join(other, 'identity.key'), key)
      await refuses('belongs to node')
      await rm(key)
      await refuses('is missing, though this directory holds a node')
      await writeFile(key, keyBytes, { mode: 0o600 })
      await writeFile(meta, new Uint8Array(metaBytes.length).fill(0x5a))
      await refuses('meta.db is damaged')
      await rm(meta)
      await refuses('meta.db is missing')
      await writeFile(meta, metaBytes)
      const again = await daemon('mine', '--offline')
      expect(await ok(on('mine')('store', 'status', 'notes'))).toContain('active')
      await again.end('SIGTERM')
    },
    SLOW,
  )
})
