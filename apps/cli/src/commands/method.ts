/**
 * The methods of a store, called by their name: `lattice put k v`.
 *
 * @module
 */
import { create, type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { daemon } from '@lattice/proto'
import type { CommandContext } from '../command-context.ts'
import { buildRequest } from '../dynamic/arguments.ts'
import { commandName, findMethod, type StoreInterface, type StoreMethod } from '../dynamic/store-methods.ts'
import { MethodNotFound } from '@lattice/store-base'
import { CommandFailed } from '../errors.ts'
import { answerText } from '../render/answer-text.ts'
import { printable } from '../render/display-text.ts'
import { eventText } from '../render/event-text.ts'
import { messageToLine } from '../render/message-text.ts'

/** Calls the method `name` of the selected store with the words of the command line. */
export async function callMethod(context: CommandContext, name: string, words: readonly string[]): Promise<void> {
  const store = await storeOf(context, name)
  const described = await context.storeInterface(store)
  const method = methodOf(described, name)
  const request = buildRequest(method, words, described.formatOf)
  const call: MethodCall = { store, described, method, request: toBinary(method.input, request) }
  if (method.kind === 'stream') await follow(context, call, [commandName(method), ...words].join(' '))
  else await exec(context, call)
}

/** Without any store, a word that is no command is more often a slip of the hand than a method. */
export async function storeOf(context: CommandContext, name: string): Promise<daemon.StoreInfo> {
  try {
    return await context.store()
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.code !== 'STORE_NOT_FOUND') throw error
    const message = `'${printable(name)}' is no command, and there is no store whose method it could be`
    const hint = [error.hint ?? '', "'lattice help' shows the commands"].filter((part) => part !== '').join('; ')
    throw new CommandFailed(error.code, message, { hint })
  }
}

/** Throws with the methods there are. */
export function methodOf(described: StoreInterface, name: string): StoreMethod {
  try {
    return findMethod(described, name)
  } catch (error) {
    if (!(error instanceof MethodNotFound)) throw error
    const { method, available } = error.detail
    const message = `'${printable(method)}' is neither a command nor a method of this store`
    const hint = `its methods: ${available.join(', ')}; 'lattice help' also shows the commands`
    throw new CommandFailed('METHOD_NOT_FOUND', message, { hint, detail: error.detail })
  }
}

interface MethodCall {
  readonly store: daemon.StoreInfo
  readonly described: StoreInterface
  readonly method: StoreMethod
  readonly request: Uint8Array
}

async function exec(
  { out, backend, signal }: CommandContext,
  { store, described, method, request }: MethodCall,
): Promise<void> {
  const { dynamic } = await backend()
  const { response } = await dynamic.exec({ storeId: store.id, method: method.name, request }, { signal })
  const message = decode(method.output, response)
  const options = out.textOptions(described.formatOf)
  const answer = method.kind === 'query' ? answerText(method.output, message, options) : undefined
  await out.foreign({
    schema: method.output,
    message,
    formatOf: described.formatOf,
    text: () => answer?.text ?? `${out.style.good('ok')} ${messageToLine(method.output, message, options)}`.trimEnd(),
  })
  if (answer?.isFound === false)
    throw new CommandFailed('VALUE_NOT_FOUND', `${commandName(method)} found nothing there`)
  if (answer?.text === '' && method.output.fields.length > 1) await out.note(out.style.dim('nothing there'))
  if (answer !== undefined && answer.note !== '') await out.note(out.style.dim(answer.note))
}

async function follow(
  context: CommandContext,
  { store, described, method, request }: MethodCall,
  label: string,
): Promise<void> {
  const { out, backend, signal, repl } = context
  const { dynamic } = await backend()
  const options = out.textOptions(described.formatOf)
  const run = async (ending: AbortSignal): Promise<void> => {
    const events = dynamic.subscribe({ storeId: store.id, stream: method.name, params: request }, { signal: ending })
    for await (const { event } of events) {
      const message = decode(method.output, event)
      const text = (): string => eventText(method.output, message, options)
      await out.foreign({ schema: method.output, message, formatOf: described.formatOf, text })
    }
  }
  if (repl === undefined) return run(signal)
  await out.note(`[${repl.follow(label, run)}] ${label}`)
}

function decode(schema: DescMessage, bytes: Uint8Array): Message {
  try {
    return bytes.length === 0 ? create(schema) : fromBinary(schema, bytes)
  } catch {
    throw new CommandFailed(
      'PROTOCOL_VIOLATION',
      `the answer is no ${schema.typeName}: the node and lattice are of different versions`,
    )
  }
}
