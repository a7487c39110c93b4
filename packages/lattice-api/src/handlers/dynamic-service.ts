/**
 * DynamicStoreService over a node: any method of any state machine, as bytes.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { daemon } from '@lattice/proto'
import type { ServiceHandlers } from '../service-types.ts'
import type { HandlerDeps } from './handler-deps.ts'
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
