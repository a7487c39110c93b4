/**
 * A backend over gRPC: each method of a schema becomes a promise or an async
 * iterable, and a failure the LatticeError that the node raised.
 *
 * @module
 */
import { create, type DescMessage, type DescMethod, type Message } from '@bufbuild/protobuf'
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { LatticeError } from '@lattice/model'
import { BACKEND_SERVICES, type LatticeBackend } from './backend.ts'
import { errorFromStatus, hasErrorDetail } from './error-wire.ts'
import { grpcDefinition, MAX_MESSAGE_BYTES } from './grpc-definition.ts'
import type { CallOptions, ServiceClient, ServiceSchema } from './service-types.ts'
import { isListening } from './socket.ts'

/** Nothing answers on the socket. Start the daemon, or name another data directory. */
export class DaemonUnreachable extends LatticeError {
  override readonly name = 'DaemonUnreachable'
  readonly code = 'DAEMON_UNREACHABLE'
  override readonly detail: { readonly target: string }

  constructor(target: string, options?: ErrorOptions) {
    super(`no daemon answers at ${target}: start one with 'latticed', or name its directory with --data-dir`, options)
    this.detail = { target }
  }
}

export interface RpcBackendOptions {
  /** Path of the daemon's Unix socket. */
  readonly socket: string
}

/** Connects; rejects with {@link DaemonUnreachable} at once when nobody listens. */
export async function connectBackend({ socket }: RpcBackendOptions): Promise<LatticeBackend> {
  if (!(await isListening(socket))) throw new DaemonUnreachable(socket)
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.enable_retries': 0,
  })
  let closed = false
  const close = (): Promise<void> => {
    if (!closed) client.close()
    closed = true
    return Promise.resolve()
  }
  return {
    node: serviceClient(client, BACKEND_SERVICES.node, socket),
    store: serviceClient(client, BACKEND_SERVICES.store, socket),
    dynamic: serviceClient(client, BACKEND_SERVICES.dynamic, socket),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The client of one service over an open channel. */
export function serviceClient<Schema extends ServiceSchema>(
  client: Client,
  schema: Schema,
  target: string,
): ServiceClient<Schema> {
  const definition = grpcDefinition(schema)
  const entries = schema.methods.map((method) => [method.localName, callMethod({ client, definition, method, target })])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every method of the schema is built above, by its own name.
  return Object.fromEntries(entries) as ServiceClient<Schema>
}

interface MethodCall {
  readonly client: Client
  readonly definition: ServiceDefinition
  readonly method: DescMethod
  readonly target: string
}

type Call = (request: Record<string, unknown>, options?: CallOptions) => Promise<Message> | AsyncIterable<Message>
type StreamingCall = (requests: AsyncIterable<Record<string, unknown>>, options?: CallOptions) => AsyncIterable<Message>

function callMethod({ client, definition, method, target }: MethodCall): Call | StreamingCall {
  const grpcMethod: MethodDefinition<Message, Message> | undefined = definition[method.localName]
  if (grpcMethod === undefined) throw new TypeError(`${method.name} is not defined`)
  const fail = (error: ServiceError, signal: AbortSignal | undefined): unknown => {
    if (signal?.aborted === true) return signal.reason
    const lost = error.code === status.UNAVAILABLE && !hasErrorDetail(error)
    return lost ? new DaemonUnreachable(target, { cause: error }) : errorFromStatus(error)
  }
  const { input } = method
  const unary: Call = (request, options) =>
    unaryCall({ client, grpcMethod, request: create(input, request), options, fail })
  const stream: Call = (request, options) =>
    streamCall({ client, grpcMethod, request: create(input, request), options, fail })
  const duplex: StreamingCall = (requests, options) =>
    duplexCall({ client, grpcMethod, input, requests, options, fail })
  switch (method.methodKind) {
    case 'bidi_streaming':
      return duplex
    case 'server_streaming':
      return stream
    default:
      return unary
  }
}

interface OneCall {
  readonly client: Client
  readonly grpcMethod: MethodDefinition<Message, Message>
  readonly request: Message
  readonly options: CallOptions | undefined
  readonly fail: (error: ServiceError, signal: AbortSignal | undefined) => unknown
}

function unaryCall({ client, grpcMethod, request, options, fail }: OneCall): Promise<Message> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod
  const signal = options?.signal
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
      signal?.removeEventListener('abort', cancel)
      if (error !== null) reject(fail(error, signal))
      else if (response === undefined) reject(new DaemonUnreachable(grpcMethod.path))
      else resolve(response)
    })
    const cancel = (): void => call.cancel()
    signal?.addEventListener('abort', cancel, { once: true })
  })
}

async function* streamCall({ client, grpcMethod, request, options, fail }: OneCall): AsyncGenerator<Message> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod
  const signal = options?.signal
  signal?.throwIfAborted()
  const call: ClientReadableStream<Message> = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
  )
  const cancel = (): void => call.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const messages: AsyncIterable<Message> = call
    yield* messages
  } catch (error) {
    throw isServiceError(error) ? fail(error, signal) : error
  } finally {
    signal?.removeEventListener('abort', cancel)
    // A consumer that stops early ends the call; its status then has nobody to go to.
    call.on('error', () => undefined)
    call.cancel()
  }
}

interface DuplexCall extends Omit<OneCall, 'request'> {
  readonly input: DescMessage
  readonly requests: AsyncIterable<Record<string, unknown>>
}

async function* duplexCall(parts: DuplexCall): AsyncGenerator<Message> {
  const { client, grpcMethod, options, fail } = parts
  const signal = options?.signal
  signal?.throwIfAborted()
  const { path, requestSerialize, responseDeserialize } = grpcMethod
  const call: ClientDuplexStream<Message, Message> = client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
  )
  const cancel = (): void => call.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  const sending = new AbortController()
  let broken: { readonly error: unknown } | undefined
  sendAll(call, parts, sending.signal).catch((error: unknown) => {
    // What the caller streams failed: the call has no more to say than that.
    broken = { error }
    call.cancel()
  })
  try {
    const messages: AsyncIterable<Message> = call
    yield* messages
  } catch (error) {
    if (broken !== undefined) throw broken.error
    throw isServiceError(error) ? fail(error, signal) : error
  } finally {
    signal?.removeEventListener('abort', cancel)
    sending.abort()
    call.on('error', () => undefined)
    call.cancel()
  }
}

/** Sends until the requests end, or the call has. */
async function sendAll(
  call: ClientDuplexStream<Message, Message>,
  { input, requests }: Pick<DuplexCall, 'input' | 'requests'>,
  ended: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (ended.aborted) return
    if (!call.write(create(input, request))) await writable(call, ended)
  }
  if (!ended.aborted) call.end()
}

function writable(call: ClientDuplexStream<Message, Message>, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      ended.removeEventListener('abort', done)
      resolve()
    }
    call.once('drain', done)
    ended.addEventListener('abort', done, { once: true })
    if (ended.aborted) done()
  })
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'metadata' in error && 'code' in error
}
