/**
 * Reads the limits of the workspace from its sources, and writes them as a page.
 *
 * A limit is a constant in capitals with a doc comment, in a file named `limits.ts` or `…-limits.ts`, or elsewhere with a name
 * that says so (`MAX`, a time, a window). Its comment is its reason, and an object of tunable values is read field by field
 * with the comments of its interface. There is no other list: what is not in the sources is not on the page.
 *
 * What happens beyond a limit is told by the `@beyond` tag of its comment, or by a sentence of it that begins with "Beyond".
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'

/** Packages of each layer, in the order of the page. */
export const LAYERS = [
  { layer: 'Model', packages: ['lattice-model', 'lattice-kvtable'] },
  { layer: 'Kernel and floating', packages: ['lattice-kernel', 'lattice-storage', 'lattice-logstore'] },
  { layer: 'Stores', packages: ['lattice-store-base', 'lattice-kvstore', 'lattice-rootstore', 'lattice-systemstore'] },
  { layer: 'Sync', packages: ['lattice-sync'] },
  { layer: 'Network', packages: ['lattice-net-types', 'lattice-net'] },
  { layer: 'TLS', packages: ['lattice-net-tls'] },
  { layer: 'iroh', packages: ['lattice-net-iroh'] },
  { layer: 'LAN', packages: ['lattice-net-lan'] },
  { layer: 'Node', packages: ['lattice-node', 'lattice-runtime'] },
  { layer: 'API', packages: ['lattice-api', 'lattice-proto'] },
]

const SAYS_SO = /(^|_)(MAX|LIMIT|BUDGET|DEADLINE|PER)(_|$)|_(MS|WINDOW|PER_SOURCE|PER_SECOND|WINDOW_BYTES)$/
const IS_CONSTANT = /^[A-Z][A-Z0-9_]*$/

/** Every source file of a package that is neither a test nor generated. */
function sourcesOf(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return ['gen', 'testing', 'compliance'].includes(entry.name) ? [] : sourcesOf(path)
      return entry.name.endsWith('.ts') && !/\.(test|d)\.ts$/.test(entry.name) ? [path] : []
    })
    .sort()
}

/** The limits of the workspace at `root`, grouped by layer. Throws for one whose value or reason cannot be read. */
export function readLimits(root) {
  const files = LAYERS.flatMap(({ layer, packages }) =>
    packages.flatMap((name) =>
      sourcesOf(join(root, 'packages', name, 'src')).map((path) => ({
        layer,
        package: name,
        path: relative(root, path),
      })),
    ),
  ).map((file) => ({ ...file, text: readFileSync(join(root, file.path), 'utf8') }))
  return limitsOf(files)
}

/** As `readLimits`, of files that are given: `{ layer, package, path, text }` each. */
export function limitsOf(files) {
  const parsed = files
    .filter(({ text }) => /const [A-Z][A-Z0-9_]*\b/.test(text))
    .map((file) => ({ ...file, source: ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2023, true) }))
  // By file first, then by name: a name that several packages use means its own in each.
  const known = new Map()
  for (const { path, source } of parsed) {
    for (const { name, initializer } of constantsOf(source)) {
      known.set(`${path} ${name}`, initializer)
      known.set(name, known.has(name) ? 'several' : { path, initializer })
    }
  }
  return parsed.flatMap((file) => limitsOfFile(file, known))
}

function constantsOf(source) {
  return source.statements
    .filter(ts.isVariableStatement)
    .flatMap((statement) =>
      statement.declarationList.declarations.flatMap(({ name, initializer, type }) =>
        ts.isIdentifier(name) && IS_CONSTANT.test(name.text) && initializer !== undefined
          ? [{ name: name.text, initializer, type, statement }]
          : [],
      ),
    )
}

function limitsOfFile(file, known) {
  const { source, path } = file
  const isLimits = /(^|[/-])limits\.ts$/.test(path)
  const found = []
  let shared
  let previousEnd = -1
  for (const { name, initializer, type, statement } of constantsOf(source)) {
    const own = docOf(statement)
    // Constants without a blank line between them have the comment of the first.
    const isNext = isLimits && !/\n\s*\n/.test(file.text.slice(previousEnd, statement.getStart()))
    const comment = own ?? (isNext ? shared : undefined)
    previousEnd = statement.end
    shared = comment
    const isObject = ts.isObjectLiteralExpression(initializer)
    if (!(isLimits || SAYS_SO.test(name)) || (comment === undefined && !isObject)) continue
    const entry = (key, node, text) => {
      const value = evaluate(node, path, known)
      if (value === undefined || text === undefined) return []
      const { reason, beyond } = split(text)
      return [{ ...pick(file), name: key, value: show(key, value, unitOf(type)), reason, beyond }]
    }
    if (ts.isObjectLiteralExpression(initializer))
      found.push(...fieldsOf({ source, name, initializer, type, comment, entry }))
    else found.push(...entry(name, initializer, comment))
  }
  return found
}

function pick({ layer, package: name, path }) {
  return { layer, package: name, path }
}

/** Fields of an object of limits, each with the comment of its interface; a rate is one limit of two numbers. */
function fieldsOf({ source, name, initializer, type, comment, entry }) {
  const typeName = type !== undefined && ts.isTypeReferenceNode(type) ? type.typeName.getText() : undefined
  const members = source.statements.find(
    (each) => ts.isInterfaceDeclaration(each) && each.name.text === typeName,
  )?.members
  let last = comment
  return initializer.properties.filter(ts.isPropertyAssignment).flatMap((property) => {
    const key = property.name.getText()
    const member = members?.find((each) => each.name?.getText() === key)
    // A field without a comment belongs to the one above it.
    last = (member === undefined ? undefined : docOf(member)) ?? commentAbove(members, key) ?? last
    return entry(`${name}.${key}`, property.initializer, last)
  })
}

/** The comment of the nearest member before `key` that has one. */
function commentAbove(members, key) {
  const at = members?.findIndex((each) => each.name?.getText() === key) ?? -1
  for (let index = at; index >= 0; index -= 1) {
    const doc = docOf(members[index])
    if (doc !== undefined) return doc
  }
  return undefined
}

function docOf(node) {
  const text = node.getSourceFile().text
  const ranges = ts.getLeadingCommentRanges(text, node.pos) ?? []
  const doc = ranges
    .map(({ pos, end }) => text.slice(pos, end))
    .filter((each) => each.startsWith('/**'))
    .at(-1)
  return doc === undefined || doc.includes('@module') ? undefined : plain(doc)
}

function plain(comment) {
  return comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .join(' ')
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .trim()
}

/** Reason, and what happens beyond, as far as the comment says so. */
function split(comment) {
  const tagged = /^(.*?)\s*@beyond (.*)$/.exec(comment)
  if (tagged !== null) return { reason: tagged[1], beyond: tagged[2].trim() }
  const told =
    /^(.*?)(?:[.;:,] )((?:beyond|past) (?:it|them|which)\b[^.]*\.?|larger ones[^.]*\.?|the oldest[^.]*\.?)(.*)$/is.exec(
      comment,
    )
  if (told === null) return { reason: comment, beyond: undefined }
  return { reason: `${told[1]}.${told[3]}`.trim(), beyond: told[2].charAt(0).toUpperCase() + told[2].slice(1) }
}

/** The number that an expression stands for; undefined for what is none. */
function evaluate(node, path, known) {
  if (ts.isNumericLiteral(node)) return Number(node.text.replaceAll('_', ''))
  if (ts.isParenthesizedExpression(node)) return evaluate(node.expression, path, known)
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken) {
    const value = evaluate(node.operand, path, known)
    return value === undefined ? undefined : -value
  }
  if (ts.isIdentifier(node)) {
    if (node.text === 'Infinity') return Infinity
    const own = known.get(`${path} ${node.text}`)
    if (own !== undefined) return evaluate(own, path, known)
    const other = known.get(node.text)
    return other === undefined || other === 'several' ? undefined : evaluate(other.initializer, other.path, known)
  }
  if (ts.isBinaryExpression(node)) {
    const left = evaluate(node.left, path, known)
    const right = evaluate(node.right, path, known)
    const operate = OPERATORS.get(node.operatorToken.kind)
    return left === undefined || right === undefined || operate === undefined ? undefined : operate(left, right)
  }
  if (ts.isCallExpression(node)) {
    const called = /^Math\.(ceil|floor|round|max|min)$/.exec(node.expression.getText())
    const values = node.arguments.map((each) => evaluate(each, path, known))
    return called === null || values.includes(undefined) ? undefined : Math[called[1]](...values)
  }
  return undefined
}

const OPERATORS = new Map([
  [ts.SyntaxKind.PlusToken, (a, b) => a + b],
  [ts.SyntaxKind.MinusToken, (a, b) => a - b],
  [ts.SyntaxKind.AsteriskToken, (a, b) => a * b],
  [ts.SyntaxKind.SlashToken, (a, b) => a / b],
  [ts.SyntaxKind.AsteriskAsteriskToken, (a, b) => a ** b],
])

function unitOf(type) {
  return type?.getText() === 'BucketRate' ? 'rate' : undefined
}

/** A value with its unit, which is the end of its name. */
function show(name, value, unit) {
  if (/Ms$|_MS$/.test(name)) return duration(value)
  if (/^PEER_BYTES\.burst$|Bytes$|_BYTES(_MAX|_MIN|_AHEAD)?$|_BYTES\b/.test(name) || /^MAX_\w*BYTES/.test(name))
    return size(value)
  const number = Number.isInteger(value) ? value.toLocaleString('en-US') : String(Number(value.toPrecision(6)))
  return unit === 'rate' && name.endsWith('.perSecond') ? `${number} per second` : number
}

function duration(ms) {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`
  return ms >= 1_000 && ms % 100 === 0 ? `${ms / 1_000} s` : `${ms} ms`
}

function size(bytes) {
  for (const [unit, bytesOf] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ]) {
    if (bytes >= bytesOf && (bytes * 4) % bytesOf === 0) return `${bytes / bytesOf} ${unit}`
  }
  return `${bytes.toLocaleString('en-US')} B`
}

/** The page. */
export function limitsPage(limits) {
  const cell = (text) => (text ?? '').replaceAll('|', '\\|')
  const parts = LAYERS.flatMap(({ layer }) => {
    const rows = limits.filter((limit) => limit.layer === layer)
    if (rows.length === 0) return []
    return [
      `## ${layer}`,
      '',
      '| Name | Value | Why | Beyond it |',
      '| --- | --- | --- | --- |',
      ...rows.map(
        ({ name, value, reason, beyond }) => `| \`${name}\` | ${value} | ${cell(reason)} | ${cell(beyond)} |`,
      ),
      '',
    ]
  })
  return [HEAD, ...parts].join('\n')
}

const HEAD = `# Limits

<!-- Written by \`npm run generate\` from the constants in the sources. Change those. -->

Every bound of this software is a named constant with its reason; these are all of them. A peer has one
connection. What it makes a node hold in memory, over all its streams, is \`PEER_HELD_BYTES\`; the transport's windows come on
top, and what floats is bounded by store. What it may use over time is a token bucket for each kind: so many at once
(\`burst\`), and so many more with each second; connecting again fills none. Where the last column is empty, the reason says it, or the
value is a size or a pace that the node keeps by itself.
`
