/**
 * Helpers that keep the types of a definition as precise as they are written,
 * and check a whole machine against its service once, when it is defined.
 *
 * @module
 */
import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf'
import { assert, type IntentionId } from '@lattice/model'
import type {
  CommandContext,
  CommandDefinition,
  PlannedWrite,
  QueryContext,
  QueryDefinition,
  StreamContext,
  StreamDefinition,
} from './method.ts'
import type { StateMachine } from './state-machine.ts'

/** A command: validates, then writes through `context.submit`. */
export function defineCommand<Req extends DescMessage, Res extends DescMessage>(definition: {
  readonly description: string
  readonly request: Req
  readonly response: Res
  readonly run: (context: CommandContext, request: MessageShape<Req>) => Promise<MessageShape<Res>>
}): CommandDefinition<Req, Res> {
  return { kind: 'command', ...definition }
}

/** A command that is one write and reads nothing before it: it can be run many times at once. */
export function defineWrite<Req extends DescMessage, Res extends DescMessage>({
  plan,
  respond,
  ...definition
}: {
  readonly description: string
  readonly request: Req
  readonly response: Res
  /** Validates and makes the write, in the schema version given; throws for what is to be refused. */
  readonly plan: (request: MessageShape<Req>, schema: number) => PlannedWrite
  readonly respond: (id: IntentionId) => MessageShape<Res>
}): CommandDefinition<Req, Res> {
  return {
    kind: 'command',
    ...definition,
    plan,
    run: async (context, request) => {
      const { payload, deps } = plan(request, context.schema)
      return respond(await context.submit(payload, deps))
    },
  }
}

/** A query: reads `context.read`, synchronously, and so one state. */
export function defineQuery<Req extends DescMessage, Res extends DescMessage>(definition: {
  readonly description: string
  readonly request: Req
  readonly response: Res
  readonly run: (context: QueryContext, request: MessageShape<Req>) => MessageShape<Res>
}): QueryDefinition<Req, Res> {
  return { kind: 'query', ...definition }
}

/** A stream: subscribes when it is opened, not when it is first read. */
export function defineStream<Event>(): <Params extends DescMessage, Item extends DescMessage>(definition: {
  readonly description: string
  readonly params: Params
  readonly item: Item
  readonly open: (context: StreamContext<Event>, params: MessageShape<Params>) => AsyncIterable<MessageShape<Item>>
}) => StreamDefinition<Event, Params, Item> {
  return (definition) => ({ kind: 'stream', ...definition })
}

/**
 * Checks a machine against its service and returns it: every method of the
 * service is defined exactly once, with the service's messages, and nothing
 * else is. A mismatch is a bug of the machine and throws.
 */
export function defineStateMachine<Machine extends StateMachine>(machine: Machine): Machine {
  assert(machine.schemaVersion >= 1 && machine.tableVersion >= 1, 'versions start from 1')
  const { schemaVersion, purge } = machine
  assert(
    [schemaOfCommands(machine), purge?.schema ?? 1].every((schema) => schema >= 1 && schema <= schemaVersion),
    'nothing is written in a version that the machine does not know',
  )
  for (const [name, { request, response }] of Object.entries({ ...machine.commands, ...machine.queries }))
    checkMethod(machine, name, { kind: 'unary', input: request, output: response })
  for (const [name, { params, item }] of Object.entries(machine.streams))
    checkMethod(machine, name, { kind: 'server_streaming', input: params, output: item })
  for (const { name } of machine.service.methods) {
    const places = [machine.commands, machine.queries, machine.streams].filter((group) => Object.hasOwn(group, name))
    assert(places.length === 1, `method ${name} of ${machine.service.typeName} is defined exactly once`)
  }
  return machine
}

/** Latest version that the commands of a machine write. */
export function schemaOfCommands({
  schemaVersion,
  commandSchema = schemaVersion,
}: Pick<StateMachine, 'schemaVersion' | 'commandSchema'>): number {
  return commandSchema
}

function checkMethod(
  machine: StateMachine,
  name: string,
  {
    kind,
    input,
    output,
  }: { readonly kind: DescMethod['methodKind']; readonly input: DescMessage; readonly output: DescMessage },
): void {
  const method = machine.service.methods.find((candidate) => candidate.name === name)
  assert(method !== undefined, `${name} is a method of ${machine.service.typeName}`)
  assert(method.methodKind === kind, `${name} is ${kind} in its service`)
  assert(method.input.typeName === input.typeName, `${name} takes what its service says`)
  assert(method.output.typeName === output.typeName, `${name} answers what its service says`)
}
