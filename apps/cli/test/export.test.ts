/** Export and import between stores of a real daemon. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createDaemonGroup, ok, SLOW } from './daemon-group.ts'
import { lattice } from './processes.ts'

const { daemon, folder, on } = createDaemonGroup('lattice-export-')

test(
  'a root store is exported and imported into a child of it, and both export the same',
  async () => {
    const a = on('a')
    await daemon('a', '--no-relay', '--bind', '127.0.0.1:0')
    await ok(a('store', 'create', 'team'))
    await ok(a('store', 'create', 'notes', '--parent', 'team', '--type', 'core:kvstore'))
    const lines = Array.from({ length: 2500 }, (_, index) =>
      JSON.stringify({ key: `key${String(index).padStart(5, '0')}`, value: index % 2 === 0 ? 'ä\n"' : '0x00ff' }),
    )
    const [first, second] = [join(folder('a'), 'first.jsonl'), join(folder('a'), 'second.jsonl')]
    await writeFile(first, `${lines.join('\n')}\n{"key":"0xfffe","value":""}\n`)
    await ok(a('--store', 'team', 'store', 'import', first))
    expect(await ok(a('--store', 'team', 'store', 'export', second))).toMatch(/^exported 2,501 records, /u)
    expect(await readFile(second, 'utf8')).toBe(await readFile(first, 'utf8'))
    await ok(a('--store', 'team/notes', 'store', 'import', second))
    const { stdout } = await lattice(['--data-dir', folder('a'), '--store', 'team/notes', 'store', 'export', '-'])
    expect(stdout).toBe(await readFile(first, 'utf8'))
  },
  2 * SLOW,
)
