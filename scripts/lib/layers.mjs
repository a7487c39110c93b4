/**
 * The layers of the system as one table, and the rules that follow from it.
 *
 * A package may import packages of lower layers, and of its own layer only where the table says so. The rules hold for
 * what a package.json declares and for what the sources import. Pure: takes packages as data, returns sentences.
 */

/**
 * Package → its layer, what else of its own layer it may import, and, where `only` is given, the packages it is limited
 * to although lower layers hold more. `floors` are adapters of others that it measures bare, to compare with.
 */
export const LAYERS = {
  '@lattice/proto': { layer: 0 },
  '@lattice/model': { layer: 0, same: ['@lattice/proto'] },

  '@lattice/storage': { layer: 1 },
  '@lattice/store-base': { layer: 1 },
  '@lattice/kvtable': { layer: 1 },
  '@lattice/sync': { layer: 1 },

  '@lattice/systemstore': { layer: 2, only: layerZeroAnd('@lattice/store-base', '@lattice/kvtable') },
  '@lattice/kvstore': { layer: 2, only: layerZeroAnd('@lattice/store-base', '@lattice/kvtable') },
  '@lattice/logstore': { layer: 2, only: layerZeroAnd('@lattice/store-base') },
  // A key-value store and more.
  '@lattice/rootstore': {
    layer: 2,
    same: ['@lattice/kvstore'],
    only: layerZeroAnd('@lattice/store-base', '@lattice/kvtable'),
  },

  // The kernel knows no store type and no network.
  '@lattice/kernel': { layer: 3, only: layerZeroAnd('@lattice/storage', '@lattice/store-base', '@lattice/sync') },

  // The network knows neither the kernel nor a store type: it sees a port.
  '@lattice/net-types': { layer: 4, only: layerZeroAnd('@lattice/sync') },
  '@lattice/net': { layer: 4, same: ['@lattice/net-types'], only: layerZeroAnd('@lattice/sync') },
  '@lattice/net-iroh': { layer: 4, same: ['@lattice/net-types'], only: layerZeroAnd() },
  '@lattice/net-lan': { layer: 4, same: ['@lattice/net-types'], only: layerZeroAnd() },
  '@lattice/net-tls': { layer: 4, same: ['@lattice/net-types'], only: layerZeroAnd() },
  '@lattice/net-sim': { layer: 4, same: ['@lattice/net-types'], only: layerZeroAnd() },

  // Stores are composed through openers, transports through ports: neither is named here.
  '@lattice/node': {
    layer: 5,
    only: layerZeroAnd(
      '@lattice/storage',
      '@lattice/store-base',
      '@lattice/sync',
      '@lattice/systemstore',
      '@lattice/kernel',
      '@lattice/net-types',
      '@lattice/net',
    ),
  },

  '@lattice/api': { layer: 6, only: layerZeroAnd('@lattice/store-base', '@lattice/node') },
  '@lattice/runtime': { layer: 6, same: ['@lattice/api'] },

  '@lattice/testkit': { layer: 7, testOnly: true },
  // It measures the daemon as a process, too.
  '@lattice/bench': { layer: 8, testOnly: true, same: ['@lattice/daemon'], floors: ['better-sqlite3'] },

  '@lattice/daemon': { layer: 8 },
  // `lattice daemon` is `latticed`.
  '@lattice/cli': { layer: 8, same: ['@lattice/daemon'] },

  // What users build.
  '@lattice/example-counter': { layer: 8 },
}

function layerZeroAnd(...names) {
  return ['@lattice/model', '@lattice/proto', ...names]
}

/** Dependencies that exactly one place may name: an adapter has one owner, so that it can be replaced there. */
export const OWNERS = {
  'better-sqlite3': ['@lattice/storage'],
  '@number0/iroh': ['@lattice/net-iroh'],
  'dns-packet': ['@lattice/net-lan'],
  '@grpc/grpc-js': ['@lattice/api'],
  '@grpc/reflection': ['@lattice/api'],
  'grpc-health-check': ['@lattice/api'],
  'libsodium-wrappers': ['@lattice/model'],
  'sodium-native': ['@lattice/model'],
  'hash-wasm': ['@lattice/model'],
  fflate: ['@lattice/rootstore'],
  'smol-toml': ['@lattice/rootstore'],
  commander: ['@lattice/daemon', '@lattice/cli'],
  'env-paths': ['@lattice/daemon', '@lattice/cli'],
  pino: ['@lattice/daemon', '@lattice/runtime'],
}

const isWorkspaceName = (name) => name.startsWith('@lattice/')

/** The package an import names: `@scope/name/sub` → `@scope/name`; undefined for relative paths and Node's own modules. */
export function packageOf(specifier) {
  if (specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('node:')) return undefined
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]
}

/** Whether a file of a package is a test, by its path relative to the package. */
export const isTestFile = (path) => path.startsWith('test/') || /\.test\.[cm]?ts$/.test(path)

// A static or dynamic import, a re-export, or `import x = require()`; comments are gone by then.
const IMPORT =
  /(?:^|[;}\s])(?:import|export)\s+(?:type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?(['"])([^'"\n]+)\1|\b(?:import|require|import\.meta\.resolve)\s*\(\s*(['"])([^'"\n]+)\3/g

/** Every module a source text imports. */
export function importsOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
  return [...code.matchAll(IMPORT)].map((match) => match[2] ?? match[4])
}

/**
 * Everything that is wrong with `packages`, one sentence each; empty when all is well.
 *
 * A package is `{ manifest, files: [{ path, text }] }` with paths relative to the package.
 */
export function findViolations(packages) {
  const byName = new Map(packages.map((entry) => [entry.manifest.name, entry]))
  return [
    ...packages.flatMap((entry) => declaredViolations(entry)),
    ...packages.flatMap((entry) => entry.files.flatMap((file) => importViolations(entry, file, byName))),
    ...cycles(packages),
  ]
}

function declaredViolations({ manifest }) {
  const { name } = manifest
  if (LAYERS[name] === undefined) return [`${name} is in no layer: add it to scripts/lib/layers.mjs`]
  const shipped = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  const forTests = Object.keys(manifest.devDependencies ?? {})
  return [
    ...shipped.map((dependency) => refusal(name, dependency, { inTest: false })),
    ...forTests.map((dependency) => refusal(name, dependency, { inTest: true })),
  ]
    .filter((sentence) => sentence !== undefined)
    .map((sentence) => `${name}: package.json: ${sentence}`)
}

/** Why `name` may not use `dependency`; undefined when it may. */
function refusal(name, dependency, { inTest }) {
  const owners = OWNERS[dependency]
  const from = LAYERS[name]
  if (owners !== undefined && !owners.includes(name) && !from?.floors?.includes(dependency))
    return `${dependency} belongs to ${owners.join(' and ')} alone`
  if (!isWorkspaceName(dependency) || dependency === name) return undefined
  const to = LAYERS[dependency]
  if (to === undefined) return `${dependency} is in no layer`
  if (to.testOnly)
    return inTest || from.testOnly ? undefined : `${dependency} is for tests only: make it a devDependency`
  // Tests may reach up, to the testkit and to concrete adapters; what they must not do is close a cycle, see `cycles`.
  if (inTest) return undefined
  if (from.same?.includes(dependency)) return undefined
  if (to.layer >= from.layer) return `${dependency} (layer ${to.layer}) is not below layer ${from.layer}`
  if (from.only !== undefined && !from.only.includes(dependency)) return `it may not know ${dependency}`
  return undefined
}

function importViolations({ manifest }, { path, text }, byName) {
  const { name } = manifest
  const inTest = isTestFile(path)
  const allowed = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...(inTest ? manifest.devDependencies : {}),
  }
  return importsOf(text).flatMap((specifier) => {
    const problem = importProblem({ name, path, specifier, inTest, allowed, byName })
    return problem === undefined ? [] : [`${name}: ${path}: ${problem}`]
  })
}

function importProblem({ name, path, specifier, inTest, allowed, byName }) {
  const imported = packageOf(specifier)
  if (imported === undefined) return relativeProblem(path, specifier)
  if (imported !== name && !(imported in allowed)) {
    return `'${imported}' is not declared${inTest ? '' : ' in dependencies'}`
  }
  const target = byName.get(imported)
  const entry = specifier === imported ? '.' : `.${specifier.slice(imported.length)}`
  if (target !== undefined && !isExported(entry, target.manifest.exports ?? {}))
    return `'${specifier}' is not among its exports`
  return refusal(name, imported, { inTest })
}

/** A relative import stays inside its package. */
function relativeProblem(path, specifier) {
  if (!specifier.startsWith('.')) return undefined
  const depth = path.split('/').length - 1
  const ups = specifier.split('/').filter((part) => part === '..').length
  return ups > depth ? `'${specifier}' leaves the package` : undefined
}

/** Cycles among all declared dependencies, those for tests included: a build has no order for them. */
function cycles(packages) {
  const edges = new Map(
    packages.map(({ manifest }) => [
      manifest.name,
      Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter(isWorkspaceName),
    ]),
  )
  const done = new Set()
  const found = []
  const visit = (name, trail) => {
    const start = trail.indexOf(name)
    if (start !== -1) found.push(`cycle: ${[...trail.slice(start), name].join(' → ')}`)
    if (start !== -1 || done.has(name)) return
    for (const next of edges.get(name) ?? []) visit(next, [...trail, name])
    done.add(name)
  }
  for (const name of edges.keys()) visit(name, [])
  return found
}

/** True when the exports map has the entry, by name or by a pattern such as `./vectors/*`. */
function isExported(entry, exports) {
  if (entry in exports) return true
  return Object.keys(exports).some((key) => {
    const [before, after] = key.split('*')
    return after !== undefined && entry.startsWith(before) && entry.endsWith(after)
  })
}
