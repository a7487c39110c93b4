/**
 * Checks every package as it would be published: `publishConfig` applied, so without the `source` condition, and every
 * file that its exports and bins name present in what ships. Needs the build.
 */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { packageFolders, readJson, root } from './lib/workspace.mjs'

/** Every file path an exports map leads to. */
const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(targets))

const withoutSource = (value) =>
  typeof value === 'string'
    ? value
    : Object.fromEntries(
        Object.entries(value ?? {})
          .filter(([condition]) => condition !== 'source')
          .map(([condition, target]) => [condition, withoutSource(target)]),
      )

function ownProblems(folder, manifest) {
  const published = manifest.publishConfig?.exports
  const problems = []
  if (JSON.stringify(published) !== JSON.stringify(withoutSource(manifest.exports))) {
    problems.push('publishConfig.exports is not its exports without `source`')
  }
  for (const path of [...targets(published), ...targets(manifest.bin)]) {
    const ships = path === './package.json' || manifest.files.some((name) => path.startsWith(`./${name}/`))
    if (!ships) problems.push(`${path} is not in \`files\``)
    else if (!existsSync(join(folder, path.split('*')[0]))) problems.push(`${path} does not exist after the build`)
  }
  return problems
}

async function lintProblems(folder, manifest) {
  const { messages } = await publint({ pkgDir: folder, level: 'warning', pack: false, strict: true })
  return messages.map((message) => formatMessage(message, manifest, { color: false }))
}

for (const folder of packageFolders()) {
  const manifest = readJson(join(folder, 'package.json'))
  const problems = [...ownProblems(folder, manifest), ...(await lintProblems(folder, manifest))]
  for (const problem of problems) console.error(`${relative(root, folder)}: ${problem}`)
  if (problems.length > 0) process.exitCode = 1
}
