/**
 * Generates the message codecs of `packages/lattice-proto/src/gen`, and of the examples, from their `.proto` files.
 *
 *   node scripts/generate.mjs           writes them
 *   node scripts/generate.mjs --check   writes nothing; fails when they are not what would be written
 *
 * Works offline: the compiler and its plugin come from node_modules. The plugin writes TypeScript enums, which neither
 * `erasableSyntaxOnly` nor Node's type stripping accepts; each becomes a constant object and the union of its values,
 * used in the same way (`Kind.A`, and `Kind` as a type).
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules', '.bin')
const protoPackages = [join('packages', 'lattice-proto'), join('examples', 'counter')]

/** Runs the compiler over the `proto/` of a package; the files land in `<output>/src/gen`. */
function generate(folder, output) {
  const { status, error, stderr } = spawnSync('buf', ['generate', '--output', output], {
    cwd: join(root, folder),
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (error !== undefined || status !== 0) {
    console.error(`buf generate failed:\n${error?.message ?? stderr}`)
    process.exit(1)
  }
  const generated = join(output, 'src', 'gen')
  for (const [path, text] of filesOf(generated)) writeFileSync(join(generated, path), withoutEnums(path, text))
}

/** The enums of one generated file as constant objects. Fails loudly if the plugin's layout is not the known one. */
function withoutEnums(path, text) {
  const rewritten = text.replace(/^export enum (\w+) \{\n([\s\S]*?)^\}\n/gm, (_, name, body) => {
    const members = body.replace(/^( +\w+) = (-?\d+),$/gm, '$1: $2,')
    return `export const ${name} = {\n${members}} as const\n\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];\n`
  })
  if (/^\s*export (const )?enum\b/m.test(rewritten) || /^ +\w+ = -?\d+,$/m.test(rewritten)) {
    console.error(`${path}: the plugin wrote an enum in a layout this script does not know`)
    process.exit(1)
  }
  return rewritten
}

/** Every file below `folder`, as path relative to it → text. */
function filesOf(folder, base = folder, found = new Map()) {
  if (!existsSync(folder)) return found
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) filesOf(path, base, found)
    else found.set(relative(base, path), readFileSync(path, 'utf8'))
  }
  return found
}

function staleFiles(folder) {
  const scratch = mkdtempSync(join(tmpdir(), 'lattice-generate-'))
  try {
    generate(folder, scratch)
    const fresh = filesOf(join(scratch, 'src', 'gen'))
    const present = filesOf(join(root, folder, 'src', 'gen'))
    return [...new Set([...fresh.keys(), ...present.keys()])]
      .filter((path) => fresh.get(path) !== present.get(path))
      .sort()
      .map((path) => join(folder, 'src', 'gen', path))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

if (process.argv.includes('--check')) {
  const stale = protoPackages.flatMap(staleFiles)
  for (const path of stale) console.error(`${path} is not what its .proto file generates`)
  if (stale.length > 0) {
    console.error('run `node scripts/generate.mjs` and commit the result')
    process.exitCode = 1
  }
} else {
  for (const folder of protoPackages) generate(folder, join(root, folder))
}
