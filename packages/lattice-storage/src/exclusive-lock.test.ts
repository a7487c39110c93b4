import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { tryExclusiveLock } from './exclusive-lock.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('exclusive lock', () => {
  test('is held once, tells who holds it, and is free after its release', () => {
    const path = join(directory, 'lock')
    const first = tryExclusiveLock(path, 'one')
    expect(first.kind).toBe('held')
    expect(tryExclusiveLock(path, 'two')).toEqual({ kind: 'busy', holder: 'one' })
    if (first.kind === 'held') first.release()
    const third = tryExclusiveLock(path, 'three')
    expect(third.kind).toBe('held')
    if (third.kind === 'held') third.release()
  })

  test('is free as soon as a process that held it was killed', async () => {
    const path = join(directory, 'lock')
    const module = fileURLToPath(new URL('./exclusive-lock.ts', import.meta.url))
    const script = `
      const { tryExclusiveLock } = await import(${JSON.stringify(module)})
      console.log(tryExclusiveLock(${JSON.stringify(path)}, 'child').kind)
      process.stdin.resume()`
    const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [output] = await once(child.stdout, 'data')
    expect(String(output).trim()).toBe('held')
    expect(tryExclusiveLock(path, 'parent')).toEqual({ kind: 'busy', holder: 'child' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const after = tryExclusiveLock(path, 'parent')
    expect(after.kind).toBe('held')
    if (after.kind === 'held') after.release()
  })

  test('a file that is no lock is replaced', () => {
    const path = join(directory, 'lock')
    writeFileSync(path, 'x'.repeat(2000))
    const lock = tryExclusiveLock(path, 'one')
    expect(lock.kind).toBe('held')
    if (lock.kind === 'held') lock.release()
  })

  test('is taken again in place: a full disk does not keep a node from starting', () => {
    const path = join(directory, 'lock')
    const first = tryExclusiveLock(path, 'a holder with a name of some length')
    if (first.kind === 'held') first.release()
    const { size } = statSync(path)
    const again = tryExclusiveLock(path, 'another holder with a longer name than that')
    expect(again.kind).toBe('held')
    expect(statSync(path).size).toBe(size)
    if (again.kind === 'held') again.release()
  })

  test('a lock file that is damaged is replaced', () => {
    const path = join(directory, 'lock')
    const first = tryExclusiveLock(path, 'one')
    if (first.kind === 'held') first.release()
    const content = readFileSync(path)
    content.fill(0x5a, 100, 300)
    writeFileSync(path, content)
    const again = tryExclusiveLock(path, 'two')
    expect(again.kind).toBe('held')
    expect(tryExclusiveLock(path, 'three')).toEqual({ kind: 'busy', holder: 'two' })
    if (again.kind === 'held') again.release()
  })

  test('a path that cannot be a file is a typed failure', () => {
    expect(() => tryExclusiveLock(directory, 'one')).toThrow(expect.objectContaining({ code: 'STORAGE_FAILED' }))
  })
})
