/**
 * Reads the limits of the workspace from its sources, and writes them as a page.
 *
 * A limit is a constant in capitals that stands for a number, in a file named `limits.ts` or `…-limits.ts` (or `quota`,
 * `budget`), or elsewhere with a name that says so: see `isLimit`. Its comment is its reason, and an object of tunable values
 * is read field by field with the comments of its interface. There is no other list: what is not in the sources is not on the
 * page, and a limit without a comment, or with a value that cannot be read, is an error.
 *
 * What happens beyond a limit is told by the `@beyond` tag of its comment, or by a sentence of it that begins with "Beyond".
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import ts from 'typescript'
import { LAYERS, packageOf } from './layers.mjs'
import { readJson } from './workspace.mjs'

const LIMITS_FILE = /(^|[/-])(limits|quota|budget)\.ts$/
const SAYS_SO =
  /(^|_)(MAX|MIN|LIMIT|BUDGET|DEADLINE|PER|BACKLOG|CAPACITY|BATCH|AHEAD|WINDOW|CACHE|CACHED|KEPT)(_|$)|_(MS|ROUNDS|FROM|AT_ONCE|IN_FLIGHT)$/
/** Units, the ranges of integers, what a unit of work is counted at, how large a buffer is at first, and exit codes. */
const IS_NONE =
  /^(MS_PER_\w+|(SECOND|MINUTE|HOUR|DAY)_MS|[KMG]IB|[UI]\d+_MAX|MAX_[UI]\d+|COST_PER_\w+|(INITIAL|FIRST)_CAPACITY|EXIT_\w+)$/
const IS_CONSTANT = /^[A-Z][A-Z0-9_]*$/
/** Folders of sources that are generated, or that tests alone import. */
const NOT_READ = ['gen', 'testing', 'compliance']

/**
 * The packages whose limits the page has, in its order: all with sources but those for tests, from the lowest layer up. Of
 * `{ folder, name }` each; one that is in no layer yet comes last.
 */
function packagesOfPage(packages) {
  const order = Object.keys(LAYERS)
  const place = ({ name }) => (LAYERS[name]?.layer ?? Infinity) * order.length + order.indexOf(name)
  return packages
    .filter(({ name }) => LAYERS[name]?.testOnly !== true)
    .map((each) => ({ ...each, place: place(each) }))
    .sort((a, b) => (a.place === b.place ? a.name.localeCompare(b.name) : a.place - b.place))
    .map(({ folder, name }) => ({ folder, name }))
}

/** Every source file of a package that is neither a test nor generated. */
function sourcesOf(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return NOT_READ.includes(entry.name) ? [] : sourcesOf(path)
      return entry.name.endsWith('.ts') && !/\.(test|d)\.ts$/.test(entry.name) ? [path] : []
    })
    .sort()
}

/** The limits of the packages in `folders`, in the order of the page. Throws for one whose value or reason cannot be read. */
export function readLimits(root, folders) {
  const packages = folders.map((folder) => ({ folder, name: readJson(join(folder, 'package.json')).name }))
  const files = packagesOfPage(packages).flatMap(({ folder, name }) =>
    sourcesOf(join(folder, 'src')).map((path) => ({
      package: name,
      path: relative(root, path).replaceAll('\\', '/'),
      text: readFileSync(path, 'utf8'),
    })),
  )
  return limitsOf(files)
}

/** As `readLimits`, of files that are given: `{ package, path, text }` each. */
export function limitsOf(files) {
  const parsed = files
    .filter(({ text }) => /const [A-Z][A-Z0-9_]*\b/.test(text))
    .map((file) => ({ ...file, source: ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2023, true) }))
  const known = new Map(parsed.map((file) => [file.path, knownOf(file)]))
  const found = parsed.flatMap((file) => limitsOfFile(file, known))
  const problems = found.flatMap(({ problem }) => problem ?? [])
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return found
}

/** Whether a constant is a limit: by the file it is in, or by its name. */
export function isLimit(path, name) {
  return !IS_NONE.test(name) && (LIMITS_FILE.test(path) || SAYS_SO.test(name))
}

/** What the names in a file stand for: its own constants, and from where the others are imported. */
function knownOf({ package: name, path, source }) {
  const constants = new Map(constantsOf(source).map((each) => [each.name, each.initializer]))
  const imports = new Map(
    source.statements.filter(ts.isImportDeclaration).flatMap(({ importClause, moduleSpecifier }) => {
      const named = importClause?.namedBindings
      if (named === undefined || !ts.isNamedImports(named)) return []
      return named.elements.map((each) => [
        each.name.text,
        { name: (each.propertyName ?? each.name).text, from: moduleSpecifier.text },
      ])
    }),
  )
  return { package: name, path, constants, imports }
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
  const found = []
  let shared
  let previousEnd = -1
  for (const { name, initializer, type, statement } of constantsOf(source)) {
    const own = docOf(statement)
    const limit = isLimit(path, name)
    // Limits without a blank line between them have the comment of the first.
    const isNext = !/\n\s*\n/.test(file.text.slice(previousEnd, statement.getStart()))
    if (own !== undefined) shared = limit ? own : undefined
    else if (!isNext) shared = undefined
    previousEnd = statement.end
    if (!limit || isNoNumber(initializer)) continue
    const problem = (key, text) => ({ problem: `${path}: ${key}: ${text}` })
    const entry = (key, node, text) => {
      const value = evaluate(node, path, known)
      if (value === undefined) return isNoNumber(node) ? [] : [problem(key, 'its value cannot be read')]
      if (text === undefined) return [problem(key, 'a limit needs a comment that says what it bounds and why')]
      const { reason, beyond } = split(text)
      return [{ package: file.package, path, name: key, value: show(key, value, unitOf(type)), reason, beyond }]
    }
    if (ts.isObjectLiteralExpression(initializer))
      found.push(...fieldsOf({ source, name, initializer, type, comment: shared, entry }))
    else found.push(...entry(name, initializer, shared))
  }
  return found
}

/** Whether a value is plainly none that is counted: a text, a list, a set of names. */
function isNoNumber(node) {
  const inner = ts.isAsExpression(node) || ts.isSatisfiesExpression(node) ? node.expression : node
  return (
    ts.isStringLiteralLike(inner) ||
    ts.isTemplateExpression(inner) ||
    ts.isRegularExpressionLiteral(inner) ||
    ts.isArrayLiteralExpression(inner) ||
    ts.isNewExpression(inner) ||
    ts.isArrowFunction(inner)
  )
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
  if (NAMED.has(node.getText())) return NAMED.get(node.getText())
  if (ts.isIdentifier(node)) {
    const meant = lookUp(node.text, path, known)
    return meant === undefined ? undefined : evaluate(meant.initializer, meant.path, known)
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

/** What a name stands for in the file at `path`: a constant of its own, or one that it imports. */
function lookUp(name, path, known) {
  const { constants, imports, package: here } = known.get(path)
  if (constants.has(name)) return { path, initializer: constants.get(name) }
  const imported = imports.get(name)
  if (imported === undefined) return undefined
  const from = packageOf(imported.from) ?? here
  const file = from === here ? posix.join(posix.dirname(path), imported.from) : undefined
  for (const each of known.values()) {
    const isMeant = file === undefined ? each.package === from : each.path === file
    if (isMeant && each.constants.has(imported.name))
      return { path: each.path, initializer: each.constants.get(imported.name) }
  }
  return undefined
}

const NAMED = new Map([
  ['Infinity', Infinity],
  ['Number.MAX_SAFE_INTEGER', Number.MAX_SAFE_INTEGER],
])

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

/** The page: a section for each package, in the order in which they come. */
export function limitsPage(limits) {
  const cell = (text) => (text ?? '').replaceAll('|', '\\|')
  const packages = [...new Set(limits.map((limit) => limit.package))]
  const parts = packages.flatMap((name) => [
    `## ${name}`,
    '',
    '| Name | Value | Why | Beyond it |',
    '| --- | --- | --- | --- |',
    ...limits
      .filter((limit) => limit.package === name)
      .map(({ name: key, value, reason, beyond }) => `| \`${key}\` | ${value} | ${cell(reason)} | ${cell(beyond)} |`),
    '',
  ])
  return [HEAD, ...parts].join('\n')
}

const HEAD = `# Limits

<!-- Written by \`npm run generate\` from the constants in the sources. Change those. -->

Every bound of this software is a named constant with its reason; these are those of all packages and apps but the ones that
only tests use, from the lowest layer up. What a format fixes, such as the length of a hash, is not here. A peer has one
connection. What it makes a node hold in memory, over all its streams, is \`PEER_HELD_BYTES\`, or \`STRANGER_HELD_BYTES\`
where no store knows it, and over all peers \`heldBytes\`; the transport's windows come on top, and what floats is bounded by
store. What it may use over time is a token bucket for each kind: so many at once (\`burst\`), and so many more with each
second; connecting again fills none. Where the last column is empty, the reason says it, or the
value is a size or a pace that the node keeps by itself.
`
