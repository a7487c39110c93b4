import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'

const source = (name: string) => join(import.meta.dirname, '..', 'src', name)
const COMMAND_LINE =
  'const { main } = await import("@lattice/cli"); process.exitCode = await main(process.argv.slice(1))'

let folder = ''
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'counter-test-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--conditions=source', ...args], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Everything a program says until it ends by itself. */
async function run(
  args: readonly string[],
): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> {
  const child = start(args)
  if (child.stdout === null || child.stderr === null) throw new TypeError('both are pipes')
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, out, err }
}

test('the example counts on two real nodes and ends by itself', { timeout: 60_000 }, async () => {
  expect(await run([source('main.ts')])).toEqual({
    code: 0,
    out: 'laptop: 42\nphone: 42\nphone, after a reset on the laptop: 0\n',
    err: '',
  })
})

test('the command line creates and drives a store of a daemon that hosts counters', { timeout: 60_000 }, async () => {
  const daemon = start([source('daemon.ts'), folder])
  const ended = once(daemon, 'exit')
  try {
    await Promise.race([once(daemon.stdout ?? daemon, 'data'), ended])
    const lattice = (...args: readonly string[]) =>
      run(['--input-type=module', '-e', COMMAND_LINE, '--', '--data-dir', folder, ...args])
    expect(await lattice('store', 'create', 'visits', '--type', 'example:counter')).toMatchObject({ code: 0, err: '' })
    expect(await lattice('add', 'page', 'by=3')).toMatchObject({ code: 0, err: '' })
    const { out } = await lattice('get', 'page', '--json')
    expect(JSON.parse(out)).toEqual({ name: 'page', value: '3' })
  } finally {
    daemon.kill('SIGTERM')
  }
  expect(await ended).toEqual([0, null])
})
