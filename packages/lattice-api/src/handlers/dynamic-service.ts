/**
 * DynamicStoreService over a node: any method of any state machine, as bytes.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { Node } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { InvalidArgument } from '@lattice/store-base'
import type { ServiceHandlers } from '../service-types.ts'
import type { HandlerDeps } from './handler-deps.ts'
import { reportProgress } from './report-progress.ts'
import { storeOf } from './request.ts'

const KINDS = {
  command: daemon.MethodKind.COMMAND,
  query: daemon.MethodKind.QUERY,
  stream: daemon.MethodKind.STREAM,
} as const

export function createDynamicService({ node }: HandlerDeps): ServiceHandlers<typeof daemon.DynamicStoreService> {
  return {
    exec: async ({ storeId, method, request }, signal) =>
      create(daemon.ExecResponseSchema, { response: await storeOf(node, storeId).exec(method, request, signal) }),
    execMany: (requests, signal) => execMany(node, requests, signal),
    getDescriptor: async ({ storeId }) => {
      const machine = storeOf(node, storeId).describe()
      return create(daemon.StoreDescriptorSchema, {
        storeType: machine.storeType,
        service: machine.service,
        fileDescriptorSet: machine.fileDescriptorSet,
        methods: machine.methods.map(({ name, kind, description }) => ({ name, kind: KINDS[kind], description })),
        formats: machine.formats.map((format) => ({ ...format })),
      })
    },
    subscribe: async function* ({ storeId, stream, params }, signal) {
      for await (const event of storeOf(node, storeId).subscribe(stream, params, signal)) {
        yield create(daemon.StoreEventSchema, { event })
      }
    },
  }
}

async function* execMany(
  node: Node,
  requests: AsyncIterable<daemon.ExecManyRequest>,
  signal: AbortSignal,
): AsyncGenerator<daemon.ExecManyProgress> {
  const messages = requests[Symbol.asyncIterator]()
  const first = await messages.next()
  if (first.done === true) throw new InvalidArgument('a store and a method are missing: send them first')
  const { storeId, method } = first.value
  async function* parts(): AsyncGenerator<readonly Uint8Array[]> {
    for (let next: IteratorResult<daemon.ExecManyRequest> = first; next.done !== true; next = await messages.next()) {
      yield next.value.requests
    }
  }
  yield* reportProgress(signal, async (report) => {
    const { written } = await storeOf(node, storeId).execMany(method, parts(), {
      signal,
      onProgress: (progress) => report(toProgress(progress.written, false)),
    })
    report(toProgress(written, true))
  })
}

function toProgress(written: number, done: boolean): daemon.ExecManyProgress {
  return create(daemon.ExecManyProgressSchema, { written: BigInt(written), done })
}
