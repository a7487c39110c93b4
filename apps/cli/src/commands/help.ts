/**
 * `lattice help [TOPIC]`: the commands, one command, a page on a topic, or a method of the store.
 *
 * @module
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { isLatticeError } from '@lattice/model'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { type StoreInterface, type StoreMethod, usageOf } from '../dynamic/store-methods.ts'
import { pad, printable } from '../render/display-text.ts'
import type { Style } from '../render/style.ts'
import type { Bind } from '../run-action.ts'
import { HELP_TOPICS } from './help-topics.ts'
import { methodOf, storeOf } from './method.ts'

export function addHelpCommand(program: Command, bind: Bind): void {
  program
    .command('help')
    .description('the commands, one command, a topic, or a method of the selected store')
    .argument('[topic...]', 'words of a command, stores, peers, invites, or a method')
    .action(bind((context, topic: readonly string[]) => showHelp(context, program, topic)))
}

async function showHelp(context: CommandContext, program: Command, topic: readonly string[]): Promise<void> {
  const { out } = context
  const command = findCommand(program, topic)
  if (command !== undefined && command !== program) {
    const text = command.helpInformation().trimEnd()
    return out.document({ help: text }, () => text)
  }
  const [name, ...more] = topic
  const page = more.length === 0 ? HELP_TOPICS[name ?? ''] : undefined
  if (page !== undefined) return out.document({ help: page.text }, () => page.text)
  if (name !== undefined) {
    refuseUnknownCommand(program, topic)
    const described = await context.storeInterface(await storeOf(context, name))
    const text = methodHelp(methodOf(described, name), described, out.style)
    return out.document({ help: text }, () => text)
  }
  const methods = await methodsOfSelected(context)
  const text = [program.helpInformation().trimEnd(), ...methods].join('\n\n')
  return out.document({ help: text }, () => text)
}

/** The command that `topic` spells out from the root down; undefined when it spells none. */
function findCommand(program: Command, topic: readonly string[]): Command | undefined {
  let command: Command | undefined = program
  for (const word of topic) {
    command = command?.commands.find((each) => each.name() === word || each.aliases().includes(word))
  }
  return command
}

/** What begins like a command and is none is no method either. */
function refuseUnknownCommand(program: Command, topic: readonly string[]): void {
  const [first = '', second] = topic
  const group = findCommand(program, [first])
  if (second === undefined || group === undefined) return
  const known = group.commands.map((each) => each.name())
  throw new CommandFailed('METHOD_NOT_FOUND', `'${first}' has no command '${printable(second)}'`, {
    hint: known.length === 0 ? `'help ${first}' shows what it takes` : `choose one of: ${known.join(', ')}`,
  })
}

/** Without a node, or with no one store selected, help is still help. */
async function methodsOfSelected(context: CommandContext): Promise<readonly string[]> {
  try {
    const store = await context.store()
    return [methodList(await context.storeInterface(store), context.out.style)]
  } catch (error) {
    if (isLatticeError(error)) return []
    throw error
  }
}

/** The methods of a store, one line each. */
export function methodList({ storeType, methods }: StoreInterface, style: Style): string {
  const lines = methods.map((method) => [usageOf(method), method.description] as const)
  const width = Math.max(...lines.map(([usage]) => usage.length))
  return [
    `Methods of the store (${storeType}):`,
    ...lines.map(([usage, what]) => `  ${pad(usage, width)}  ${style.dim(what)}`.trimEnd()),
  ].join('\n')
}

/** One method: what it does, takes and answers. */
export function methodHelp(method: StoreMethod, described: StoreInterface, style: Style): string {
  return [
    `Usage: ${usageOf(method)}`,
    `${method.description}${method.description === '' ? '' : ' '}${style.dim(`(${method.kind} of ${described.storeType})`)}`,
    messageHelp('Fields, in order or as field=value', method.input, described),
    ...partsOf(method.input).map((part) => messageHelp('JSON fields', part, described)),
    messageHelp(method.kind === 'stream' ? 'Each event' : 'Answer', method.output, described),
  ].join('\n\n')
}

/** The messages that `schema` holds, at any depth, each once. */
function partsOf(schema: DescMessage): readonly DescMessage[] {
  const found = new Set([schema])
  for (const message of found) for (const { message: part } of message.fields) if (part !== undefined) found.add(part)
  found.delete(schema)
  return [...found].filter(({ fields }) => fields.length > 0)
}

/** The fields of a message with their types. */
export function messageHelp(title: string, schema: DescMessage, { formatOf }: StoreInterface): string {
  if (schema.fields.length === 0) return `${title}: none`
  const width = Math.max(...schema.fields.map((field) => field.name.length))
  const lines = schema.fields.map((field) => {
    const format = formatOf(field)
    const parts = [
      format === 'hex' ? 'hex' : typeOf(field),
      format === undefined || format === 'hex' ? '' : `(${format})`,
      field.oneof === undefined ? '' : `one of ${field.oneof.name}`,
    ]
    return `  ${pad(field.name, width)}  ${parts.filter((part) => part !== '').join(' ')}`
  })
  return [`${title} (${schema.name}):`, ...lines].join('\n')
}

function typeOf(field: DescField): string {
  const element = elementType(field)
  if (field.fieldKind === 'list') return `list of ${element}`
  return field.fieldKind === 'map' ? `map to ${element}` : element
}

function elementType(field: DescField): string {
  if (field.message !== undefined) return `${field.message.name} as JSON`
  if (field.enum !== undefined) return field.enum.values.map((value) => value.localName.toLowerCase()).join(' | ')
  return SCALAR_NAMES[field.scalar ?? 0] ?? 'value'
}

/** By number of the protobuf type. */
const SCALAR_NAMES: Readonly<Record<number, string>> = {
  1: 'number',
  2: 'number',
  3: 'whole number',
  4: 'whole number',
  5: 'whole number',
  6: 'whole number',
  7: 'whole number',
  8: 'true or false',
  9: 'text',
  12: 'text or 0x…',
  13: 'whole number',
  15: 'whole number',
  16: 'whole number',
  17: 'whole number',
  18: 'whole number',
}
