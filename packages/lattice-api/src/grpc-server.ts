/**
 * Serves a backend's services over gRPC, with the standard health and
 * reflection services beside them.
 *
 * The socket file is owner-only and a stale one, left by a killed process, is
 * replaced; a live one is another daemon and is refused.
 *
 * @module
 */
import { chmod, rm } from 'node:fs/promises'
import { type Message, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { ReflectionService } from '@grpc/reflection'
import { LatticeError, type Logger } from '@lattice/model'
import { collectFiles } from '@lattice/store-base'
import { BACKEND_SERVICES, type BackendHandlers } from './backend.ts'
import { errorToStatus } from './error-wire.ts'
import { grpcDefinition, MAX_MESSAGE_BYTES } from './grpc-definition.ts'
import {
  type DuplexHandler,
  type MethodHandler,
  methodHandlers,
  type StreamHandler,
  type UnaryHandler,
} from './method-handlers.ts'
import type { ServiceSchema } from './service-types.ts'
import { isListening } from './socket.ts'

interface ApiUnavailableReason {
  readonly code: 'ALREADY_RUNNING' | 'DATA_DIR_UNUSABLE'
  readonly message: string
  readonly cause?: unknown
}

/** The address cannot be served. */
export class ApiUnavailable extends LatticeError {
  override readonly name = 'ApiUnavailable'
  readonly code: ApiUnavailableReason['code']
  override readonly detail: { readonly socket: string }

  constructor(socket: string, { code, message, cause }: ApiUnavailableReason) {
    super(message, { cause })
    this.code = code
    this.detail = { socket }
  }
}

export interface ApiServer extends AsyncDisposable {
  readonly socket: string
  /** Ends streams, lets running calls finish, removes the socket. Idempotent. */
  readonly close: () => Promise<void>
}

export interface ApiServerOptions {
  readonly handlers: BackendHandlers
  /** Path of the Unix socket. */
  readonly socket: string
  readonly logger: Logger
}

/** A Unix socket's path has to fit sockaddr_un with its closing zero on every system. */
const MAX_SOCKET_PATH_BYTES = 103

/** Binds the socket; rejects with {@link ApiUnavailable}. */
export async function openApiServer({ handlers, socket, logger }: ApiServerOptions): Promise<ApiServer> {
  await claimSocket(socket)
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  })
  const ending = new AbortController()
  // A command that calls a daemon has this module loaded and has no use for these, a quarter of all it would load.
  const [{ HealthImplementation }, reflection] = await Promise.all([
    import('grpc-health-check'),
    import('@grpc/reflection'),
  ])
  const health = new HealthImplementation({ '': 'SERVING' })
  for (const name of ['node', 'store', 'dynamic'] as const) {
    const schema = BACKEND_SERVICES[name]
    server.addService(
      grpcDefinition(schema),
      implement({ schema, handlers: handlers[name], ending: ending.signal, logger }),
    )
    health.setStatus(schema.typeName, 'SERVING')
  }
  health.addToServer(server)
  new reflection.ReflectionService(reflectionPackage()).addToServer(server)
  await bind(server, socket)

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      ending.abort(new ApiClosing())
      await new Promise<void>((resolve) => {
        server.tryShutdown(() => resolve())
      })
      await rm(socket, { force: true })
    })()
    return closing
  }
  return { socket, close, [Symbol.asyncDispose]: close }
}

/** The node is going down; a stream ends with this. */
class ApiClosing extends LatticeError {
  override readonly name = 'ApiClosing'
  readonly code = 'CLOSED'

  constructor() {
    super('the daemon is shutting down: call again once it runs')
  }
}

interface Implementation {
  readonly schema: ServiceSchema
  readonly handlers: object
  readonly ending: AbortSignal
  readonly logger: Logger
}

function implement({ schema, handlers, ending, logger }: Implementation): UntypedServiceImplementation {
  const implementation: UntypedServiceImplementation = {}
  for (const handler of methodHandlers(schema, handlers)) {
    const { method } = handler
    const report = (error: unknown): ReturnType<typeof errorToStatus> => {
      if (!(error instanceof LatticeError)) logger.error('api.call_failed', { method: method.name, error })
      return errorToStatus(error)
    }
    implementation[method.localName] = implementOne(handler, ending, report)
  }
  return implementation
}

function implementOne(
  handler: MethodHandler,
  ending: AbortSignal,
  report: Report,
): UntypedServiceImplementation[string] {
  switch (handler.kind) {
    case 'duplex':
      return duplex(handler.call, ending, report)
    case 'stream':
      return streaming(handler.call, ending, report)
    case 'unary':
      return unary(handler.call, report)
  }
}

type Report = (error: unknown) => ReturnType<typeof errorToStatus>

function unary(handler: UnaryHandler, report: Report): handleUnaryCall<Message, Message> {
  return (call, callback) => {
    const abort = new AbortController()
    call.on('cancelled', () => abort.abort())
    const answer = async (): Promise<void> => {
      try {
        callback(null, await handler(call.request, abort.signal))
      } catch (error) {
        callback(report(error))
      }
    }
    answer().catch(report)
  }
}

function streaming(
  handler: StreamHandler,
  ending: AbortSignal,
  report: Report,
): handleServerStreamingCall<Message, Message> {
  return (call) => pump(call, (signal) => handler(call.request, signal), { ending, report })
}

function duplex(
  handler: DuplexHandler,
  ending: AbortSignal,
  report: Report,
): handleBidiStreamingCall<Message, Message> {
  return (call) => pump(call, (signal) => handler(requestsOf(call, signal), signal), { ending, report })
}

/** What the caller sends, until it ends, or the call does. */
async function* requestsOf(call: ServerDuplexStream<Message, Message>, signal: AbortSignal): AsyncGenerator<Message> {
  // The same stream carries the answers: it outlives the requests.
  const requests: AsyncIterator<Message> = call.iterator({ destroyOnReturn: false })
  const aborted = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(signal.reason)
    signal.addEventListener('abort', fail, { once: true })
    if (signal.aborted) fail()
  })
  aborted.catch(() => undefined)
  for (;;) {
    const next = await Promise.race([requests.next(), aborted])
    if (next.done === true) return
    yield next.value
  }
}

type AnswerStream = ServerWritableStream<Message, Message> | ServerDuplexStream<Message, Message>

/** Answers a call with what `start` yields. */
function pump(
  call: AnswerStream,
  start: (signal: AbortSignal) => AsyncIterable<Message>,
  { ending, report }: { readonly ending: AbortSignal; readonly report: Report },
): void {
  const abort = new AbortController()
  const signal = AbortSignal.any([abort.signal, ending])
  call.on('cancelled', () => abort.abort())
  const answer = async (): Promise<void> => {
    try {
      for await (const message of start(signal)) {
        if (!call.write(message)) await drained(call, signal)
        if (signal.aborted) break
      }
      if (ending.aborted && !abort.signal.aborted) throw ending.reason
      call.end()
    } catch (error) {
      call.emit('error', report(error))
    }
  }
  answer().catch(report)
}

function drained(call: AnswerStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}

function reflectionPackage(): ConstructorParameters<typeof ReflectionService>[0] {
  const files = collectFiles(Object.values(BACKEND_SERVICES).map((schema) => schema.file))
  const fileDescriptorProtos = files.map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)))
  return { lattice: { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos } }
}

async function claimSocket(socket: string): Promise<void> {
  const length = Buffer.byteLength(socket)
  if (length > MAX_SOCKET_PATH_BYTES) {
    const message = `the socket path ${socket} has ${length} bytes, a Unix socket takes ${MAX_SOCKET_PATH_BYTES}: use a shorter --data-dir or --socket`
    throw new ApiUnavailable(socket, { code: 'DATA_DIR_UNUSABLE', message })
  }
  if (await isListening(socket)) {
    const message = `a daemon already serves ${socket}: stop it first`
    throw new ApiUnavailable(socket, { code: 'ALREADY_RUNNING', message })
  }
  await rm(socket, { force: true })
}

async function bind(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) return resolve()
      const message = `cannot serve on ${socket}: check that its directory exists and is writable`
      reject(new ApiUnavailable(socket, { code: 'DATA_DIR_UNUSABLE', message, cause: error }))
    })
  })
  await chmod(socket, 0o600)
}
