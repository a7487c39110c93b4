/**
 * The services that every gRPC tool expects: health and reflection, read here
 * as such a tool would, knowing nothing of this package.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials } from '@grpc/grpc-js'
import { silentLogger } from '@lattice/model'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ApiServer, openApiServer } from '../src/index.ts'
import { fakeHandlers } from './fake-handlers.ts'

const same = (bytes: Buffer): Buffer => bytes

let folder: string
let server: ApiServer
let client: Client

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'api-'))
  server = await openApiServer({
    handlers: fakeHandlers({ opened: 0, ended: 0 }),
    socket: join(folder, 'lattice.sock'),
    logger: silentLogger,
  })
  client = new Client(`unix:${server.socket}`, credentials.createInsecure())
})

afterEach(async () => {
  client.close()
  await server.close()
  await rm(folder, { recursive: true })
})

function check(service: string): Promise<Buffer> {
  const name = Buffer.from(service)
  const request = service === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name])
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, request, (error, response) => {
      if (error === null && response !== undefined) resolve(response)
      else reject(new Error(error?.details))
    })
  })
}

describe('health', () => {
  test.each(['', 'lattice.daemon.v1.NodeService', 'lattice.daemon.v1.StoreService'])(
    '%s is serving',
    async (service) => {
      // HealthCheckResponse.status = SERVING
      expect([...(await check(service))]).toEqual([0x08, 0x01])
    },
  )

  test('of an unknown service is not found', async () => {
    await expect(check('no.Such')).rejects.toThrow('unknown')
  })
})

describe('reflection', () => {
  const ask = async (request: Buffer): Promise<string> => {
    const call = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', same, same)
    call.write(request)
    call.end()
    const answers: Buffer[] = []
    for await (const answer of call) answers.push(answer as Buffer)
    return Buffer.concat(answers).toString('latin1')
  }

  test('lists the three services', async () => {
    // ServerReflectionRequest.list_services = ""
    const answer = await ask(Buffer.from([0x3a, 0x00]))
    for (const service of ['NodeService', 'StoreService', 'DynamicStoreService']) {
      expect(answer).toContain(`lattice.daemon.v1.${service}`)
    }
  })

  test('gives the schema of a message', async () => {
    const symbol = Buffer.from('lattice.daemon.v1.StoreStatus')
    // ServerReflectionRequest.file_containing_symbol
    const answer = await ask(Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]))
    expect(answer).toContain('lattice/daemon/v1/daemon.proto')
    expect(answer).toContain('witness_count')
  })
})
