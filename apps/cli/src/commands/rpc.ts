/**
 * `lattice rpc …`: any call of the node's API, and the types of a store.
 *
 * @module
 */
import type { DescMethod, DescService, JsonValue, Message } from '@bufbuild/protobuf'
import { BACKEND_SERVICES, type LatticeBackend } from '@lattice/api/client'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { buildRequest } from '../dynamic/arguments.ts'
import { commandName, type StoreMethod, usageOf } from '../dynamic/store-methods.ts'
import { CommandFailed } from '../errors.ts'
import { API_FORMATS } from '../render/message-json.ts'
import { messageToText } from '../render/message-text.ts'
import type { Bind } from '../run-action.ts'
import { callMethod } from './method.ts'
import { messageHelp, methodHelp, methodList } from './help.ts'

const SERVICE_KEYS = ['node', 'store', 'dynamic'] as const

export function addRpcCommands(program: Command, bind: Bind): void {
  const rpc = program
    .command('rpc')
    .description('call any method of the API: rpc StoreService.GetStatus store_id=…')
    .usage('list | describe [TYPE] | Service.Method [field=value…]')
    .argument('[target]', 'a method of the API, such as StoreService.GetStatus')
    .argument('[words...]', 'its fields in order, or as field=value')
    .action(
      bind((context, target: string | undefined, words: readonly string[]) => call(context, target ?? 'list', words)),
    )
  rpc.command('list').description('the services and their methods').action(bind(list))
  rpc
    .command('describe')
    .description('the methods of the selected store, or one of its types')
    .argument('[message]', 'a message type of the store; left out: its methods')
    .action(bind((context, type: string | undefined) => describe(context, type)))
}

async function list({ out }: CommandContext): Promise<void> {
  const services = SERVICE_KEYS.map((key): DescService => BACKEND_SERVICES[key])
  const document: JsonValue = {
    services: services.map((service) => ({
      name: service.typeName,
      methods: service.methods.map((method) => method.name),
    })),
  }
  await out.document(document, () =>
    services
      .map((service) =>
        [
          out.style.strong(service.typeName),
          ...service.methods.map((method) => `  ${service.name}.${usageOfCall(method)}`),
        ].join('\n'),
      )
      .join('\n\n'),
  )
}

async function describe(context: CommandContext, type: string | undefined): Promise<void> {
  const { out } = context
  const described = await context.storeInterface(await context.store())
  const method = described.methods.find((each) =>
    [each.name.toLowerCase(), commandName(each)].includes(type?.toLowerCase() ?? ''),
  )
  const text = (): string => {
    if (type === undefined) return methodList(described, out.style)
    if (method !== undefined) return methodHelp(method, described, out.style)
    const schema = described.findMessage(type)
    if (schema !== undefined) return messageHelp(schema.typeName, schema, described)
    throw new CommandFailed('METHOD_NOT_FOUND', `${described.storeType} has no method or message '${type}'`, {
      hint: "'rpc describe' lists its methods",
    })
  }
  const shown = text()
  await out.document({ description: shown }, () => shown)
}

async function call(context: CommandContext, target: string, words: readonly string[]): Promise<void> {
  const [serviceName = '', methodName = ''] = splitTarget(target)
  const key = SERVICE_KEYS.find((each) => isNamed(BACKEND_SERVICES[each], serviceName))
  if (key === undefined) return callOfStore(context, target, words)
  const service: DescService = BACKEND_SERVICES[key]
  const method = service.methods.find((each) => each.name.toLowerCase() === methodName.toLowerCase())
  if (method === undefined) throw noSuchCall(target)
  const request = buildRequest(asStoreMethod(method), await withStoreId(context, method, words), API_FORMATS)
  const { out, signal } = context
  const answers = callBackend(await context.backend(), { key, method, request, signal })
  for await (const answer of answers) {
    await out.foreign({
      schema: method.output,
      message: answer,
      formatOf: API_FORMATS,
      text: () => messageToText(method.output, answer, out.textOptions()),
    })
  }
}

/** `KvStore.Put` reaches the same method as `put`. */
async function callOfStore(context: CommandContext, target: string, words: readonly string[]): Promise<void> {
  const [serviceName = '', methodName = ''] = splitTarget(target)
  if (methodName === '') throw noSuchCall(target)
  const { service } = await context.storeInterface(await context.store())
  if (service !== serviceName && service.split('.').at(-1) !== serviceName) throw noSuchCall(target)
  await callMethod(context, methodName, words)
}

/** A call about a store is about the selected one unless it says otherwise. */
async function withStoreId(
  context: CommandContext,
  method: DescMethod,
  words: readonly string[],
): Promise<readonly string[]> {
  const field = method.input.fields.find((each) => each.name === 'store_id')
  if (field === undefined || words.some((word) => word.startsWith('store_id=') || word.startsWith('storeId=')))
    return words
  const { id } = await context.store()
  return [`store_id=0x${Buffer.from(id).toString('hex')}`, ...words]
}

interface BackendCall {
  readonly key: (typeof SERVICE_KEYS)[number]
  readonly method: DescMethod
  readonly request: Message
  readonly signal: AbortSignal
}

async function* callBackend(
  backend: LatticeBackend,
  { key, method, request, signal }: BackendCall,
): AsyncGenerator<Message> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A client has each method of its schema by local name; the request was built from that method's schema.
  const client = backend[key] as unknown as Readonly<Record<string, AnyCall>>
  const run = client[method.localName]
  if (run === undefined) throw noSuchCall(method.name)
  const answer = run(request, { signal })
  if (Symbol.asyncIterator in answer) yield* answer
  else yield await answer
}

type AnyCall = (
  request: Message,
  options: { readonly signal: AbortSignal },
) => Promise<Message> | AsyncIterable<Message>

function splitTarget(target: string): readonly string[] {
  const at = Math.max(target.lastIndexOf('.'), target.lastIndexOf('/'))
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}

function isNamed(service: DescService, name: string): boolean {
  const wanted = name.toLowerCase()
  return service.typeName === name || [wanted, `${wanted}service`].includes(service.name.toLowerCase())
}

function noSuchCall(target: string): CommandFailed {
  return new CommandFailed('METHOD_NOT_FOUND', `there is no call '${target}'`, {
    hint: "'rpc list' shows what can be called",
  })
}

function asStoreMethod(method: DescMethod): StoreMethod {
  const kind = method.methodKind === 'server_streaming' ? 'stream' : 'query'
  return { name: method.name, kind, description: '', input: method.input, output: method.output }
}

function usageOfCall(method: DescMethod): string {
  const [, ...fields] = usageOf(asStoreMethod(method)).split(' ')
  return [method.name, ...fields].join(' ')
}
