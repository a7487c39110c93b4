import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const launcher = new URL('../packages/lattice-runtime/bin/launch.mjs', import.meta.url)
/** Makes the process believe that it is an old Node. What it starts is the real one. */
const asNode20 = ['--import', "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.20.0'})"]

let folder
let program

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lattice-launch-'))
  mkdirSync(join(folder, 'app', 'bin'), { recursive: true })
  mkdirSync(join(folder, 'app', 'dist'))
  program = join(folder, 'app', 'bin', 'program.mjs')
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    program,
    `import { launch } from '${launcher}'\nawait launch(import.meta.url, () => import('../dist/index.js'))\n`,
  )
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const writeMain = (body) =>
  writeFileSync(join(folder, 'app', 'dist', 'index.js'), `export async function main(argv) { ${body} }`)

/** A newer Node beside the program, as the npm package `node` lays it out. */
function installNode() {
  const home = join(folder, 'node_modules', 'node', 'bin')
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'node'), `#!/bin/sh\nexec "${process.execPath}" "$@"\n`)
  chmodSync(join(home, 'node'), 0o755)
}

function start(nodeArguments, argv, cache = join(folder, 'cache')) {
  const { NODE_COMPILE_CACHE: _, ...env } = { ...process.env, XDG_CACHE_HOME: cache }
  const child = spawn(process.execPath, [...nodeArguments, program, ...argv], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }))
  return { child, ended }
}

describe('launch', () => {
  test('the exit code is what main resolves to', async () => {
    writeMain('console.log(argv.join("|")); return 7')
    expect(await start([], ['a b', '--c']).ended).toMatchObject({ code: 7, stdout: 'a b|--c\n', stderr: '' })
  })

  test('an old Node continues on the installed one, with the same arguments and exit code', async () => {
    writeMain('console.log(process.versions.node, argv.join("|")); return 5')
    installNode()
    const result = await start(asNode20, ['a b', '--c']).ended
    expect(result).toMatchObject({ code: 5, stdout: `${process.versions.node} a b|--c\n`, stderr: '' })
  })

  test('an old Node alone says what is needed', async () => {
    writeMain('return 0')
    const result = await start(asNode20, []).ended
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(/^Lattice needs Node 22\.14 or newer and this is 20\.20\.0: .*\n$/)
  })

  test('a signal reaches the program on the other Node, and its answer comes back', async () => {
    writeMain(
      'return new Promise((resolve) => { const t = setInterval(() => {}, 1e6); process.on("SIGTERM", () => { clearInterval(t); resolve(3) }); console.log("up") })',
    )
    installNode()
    const { child, ended } = start(asNode20, [])
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 3, signal: null })
  })

  test('a death by signal is passed on', async () => {
    writeMain('process.kill(process.pid, "SIGKILL"); return new Promise(() => {})')
    installNode()
    expect(await start(asNode20, []).ended).toMatchObject({ code: null, signal: 'SIGKILL' })
  })

  test('what is compiled is kept in the cache of the user, and where there is none it runs all the same', async () => {
    writeMain('return 4')
    expect(await start([], []).ended).toMatchObject({ code: 4, stderr: '' })
    const compiled = join(folder, 'cache', 'lattice', 'compiled')
    expect(statSync(compiled).mode & 0o777).toBe(0o700)
    expect(readdirSync(compiled)).toHaveLength(1)
    writeFileSync(join(folder, 'file'), '')
    expect(await start([], [], join(folder, 'file')).ended).toMatchObject({ code: 4, stderr: '' })
  })

  test('an unbuilt program says how to build it', async () => {
    expect(await start([], []).ended).toMatchObject({ code: 1, stderr: expect.stringContaining('npm run build') })
  })

  test('a failure of main is one sentence', async () => {
    writeMain('throw new Error("the data directory is locked")')
    expect(await start([], []).ended).toMatchObject({ code: 1, stderr: 'the data directory is locked\n' })
  })
})
