/**
 * One vitest run over every package, app and example: each is a project named after its package.
 *
 * Packages resolve to each other's sources (the `source` condition), so tests need no build. Files run in as many processes
 * at once as there are cores. Those of a package that talks to the network or starts processes have one each, so that
 * native add-ons and a killed handle stay contained; the others share theirs, and load the sources once.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

const root = import.meta.dirname
const conditions = ['source', 'node', 'module', 'import', 'default']

function nameOf(folder: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (typeof manifest !== 'object' || manifest === null || !('name' in manifest))
    throw new Error(`${folder} has no name`)
  return String(manifest.name)
}

/** Their test files share no process. */
const CONTAINED: ReadonlySet<string> = new Set([
  '@lattice/net-iroh',
  '@lattice/net-lan',
  '@lattice/net-tls',
  // A test of it puts others in place of modules.
  '@lattice/node',
  '@lattice/runtime',
  '@lattice/daemon',
  '@lattice/cli',
])

function projectOf(folder: string): TestProjectInlineConfiguration {
  const name = nameOf(folder)
  return {
    root: folder,
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      name,
      environment: 'node',
      setupFiles: [join(root, 'vitest.setup.ts')],
      include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
      pool: 'forks',
      isolate: CONTAINED.has(name),
      execArgv: ['--conditions=source'],
      testTimeout: 20_000,
      hookTimeout: 20_000,
    },
  }
}

const projects = ['packages', 'apps', 'examples']
  .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
  .filter((folder) => existsSync(join(folder, 'package.json')))
  .sort()
  .map(projectOf)

/** The checks themselves are tested: each rule is seen to refuse. */
const scripts: TestProjectInlineConfiguration = {
  root: join(root, 'scripts'),
  test: { name: 'scripts', environment: 'node', include: ['**/*.test.mjs'], pool: 'forks' },
}

// On two cores the default is one worker: a test mostly waits for disks and processes, so as many as cores are no crowd.
export default defineConfig({
  test: { projects: [...projects, scripts], passWithNoTests: true, maxWorkers: '100%' },
})
