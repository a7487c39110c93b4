import { describe, expect, test } from 'vitest'
import { findViolations, importsOf, packageOf } from './layers.mjs'

const library = ({ name, dependencies = [], devDependencies = [], files = {} }) => ({
  manifest: {
    name,
    exports: { '.': {}, './package.json': './package.json', './vectors/*': './vectors/*' },
    dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, 'workspace:*'])),
    devDependencies: Object.fromEntries(devDependencies.map((dependency) => [dependency, 'workspace:*'])),
  },
  files: Object.entries(files).map(([path, text]) => ({ path, text })),
})

const model = library({ name: '@lattice/model' })

describe('declared dependencies', () => {
  test('a lower layer is allowed', () => {
    expect(findViolations([model, library({ name: '@lattice/sync', dependencies: ['@lattice/model'] })])).toEqual([])
  })

  test.each([
    ['a higher layer', '@lattice/model', '@lattice/kernel', 'not below'],
    ['an unlisted sibling', '@lattice/kvtable', '@lattice/store-base', 'not below'],
    ['the network in the kernel', '@lattice/kernel', '@lattice/net', 'not below'],
    ['the kernel in the network', '@lattice/net', '@lattice/kernel', 'may not know @lattice/kernel'],
    ['a store type in the node', '@lattice/node', '@lattice/kvstore', 'may not know @lattice/kvstore'],
    ['the testkit in shipped code', '@lattice/runtime', '@lattice/testkit', 'make it a devDependency'],
    ['an app in a library', '@lattice/runtime', '@lattice/cli', 'not below'],
    ['the database outside storage', '@lattice/kernel', 'better-sqlite3', 'belongs to @lattice/storage alone'],
    ['QUIC outside its adapter', '@lattice/runtime', '@number0/iroh', 'belongs to @lattice/net-iroh alone'],
    ['gRPC outside the api', '@lattice/cli', '@grpc/grpc-js', 'belongs to @lattice/api alone'],
  ])('refuses %s', (_, name, dependency, reason) => {
    const found = findViolations([library({ name, dependencies: [dependency] })])
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(reason)
  })

  test('an owner is an owner for tests too', () => {
    expect(findViolations([library({ name: '@lattice/kernel', devDependencies: ['better-sqlite3'] })])).toHaveLength(1)
  })

  test('the benchmarks measure the bare database, and nothing that ships imports them', () => {
    const bench = library({ name: '@lattice/bench', dependencies: ['@lattice/model', 'better-sqlite3'] })
    expect(findViolations([model, bench])).toEqual([])
    expect(findViolations([library({ name: '@lattice/bench', dependencies: ['@number0/iroh'] })])).toHaveLength(1)
    expect(findViolations([library({ name: '@lattice/runtime', dependencies: ['@lattice/bench'] })])).toHaveLength(1)
  })

  test('a package in no layer is named', () => {
    expect(findViolations([library({ name: '@lattice/surprise' })])[0]).toContain('is in no layer')
  })

  test('a cycle through a devDependency is refused', () => {
    const found = findViolations([
      library({ name: '@lattice/testkit', dependencies: ['@lattice/kernel'] }),
      library({ name: '@lattice/kernel', devDependencies: ['@lattice/testkit'] }),
    ])
    expect(found).toEqual(['cycle: @lattice/testkit → @lattice/kernel → @lattice/testkit'])
  })
})

describe('imports', () => {
  const violationsOf = (files, extra = {}) =>
    findViolations([model, library({ name: '@lattice/sync', files, ...extra })])

  test('refuses what is not declared', () => {
    expect(violationsOf({ 'src/a.ts': "import { x } from '@lattice/model'" })[0]).toContain(
      'is not declared in dependencies',
    )
    expect(violationsOf({ 'src/a.ts': "const x = await import('nostr-tools/nip77')" })[0]).toContain(
      "'nostr-tools' is not",
    )
  })

  test('a devDependency is for tests only', () => {
    const extra = { devDependencies: ['fast-check'] }
    const text = "import * as fc from 'fast-check'"
    expect(violationsOf({ 'src/a.test.ts': text, 'test/generators.ts': text }, extra)).toEqual([])
    expect(violationsOf({ 'src/a.ts': text }, extra)).toHaveLength(1)
  })

  test('refuses a path past the exports, and one that leaves the package', () => {
    const extra = { dependencies: ['@lattice/model'] }
    expect(violationsOf({ 'src/a.ts': "import '@lattice/model/src/bytes.ts'" }, extra)[0]).toContain(
      'is not among its exports',
    )
    expect(violationsOf({ 'src/a.ts': "import '@lattice/model/vectors/a.json'" }, extra)).toEqual([])
    expect(violationsOf({ 'src/a.ts': "import { x } from '../../lattice-model/src/bytes.ts'" })[0]).toContain(
      'leaves the package',
    )
    expect(violationsOf({ 'src/deep/a.ts': "import { x } from '../b.ts'" })).toEqual([])
  })

  test('every form of import is seen, and comments are not', () => {
    const text = `
      /** import { no } from 'in-a-comment' */
      // import 'in-a-line'
      import 'bare'
      import type { T } from "typed"
      import a, { b as c } from 'mixed'
      import {
        d,
      } from 'multi-line'
      import * as e from '@scope/star/sub'
      export { f } from 'exported'
      export * from 'star-exported'
      const g = await import('dynamic')
      const url = 'https://example.org' // trailing
    `
    expect(importsOf(text).map(packageOf)).toEqual([
      'bare',
      'typed',
      'mixed',
      'multi-line',
      '@scope/star',
      'exported',
      'star-exported',
      'dynamic',
    ])
  })
})
