import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '@lattice/model'
import { BindFailed, type Transport } from '@lattice/net-types'
import { type LastPortOptions, loadPort, openOnLastPort, parseBind, portOf, savePort } from './listen-port.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'port-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

const options = (bind?: string): LastPortOptions => ({
  dataDir: folder,
  logger: silentLogger,
  name: 'port',
  anyIp: '[::]',
  bind,
})

/** A transport that listens where it is told, or on a port the system gives it; `taken` are in use by others. */
function openerOf(taken: readonly number[] = []): {
  readonly asked: (string | undefined)[]
  readonly open: (bind: string | undefined) => Promise<Transport>
} {
  const asked: (string | undefined)[] = []
  return {
    asked,
    open: async (bind) => {
      asked.push(bind)
      const port = Number(bind?.split(':').at(-1) ?? 0) || 50_000
      if (taken.includes(port)) throw new BindFailed(String(bind), 'EADDRINUSE')
      return { addresses: () => [`any:192.0.2.1:${port}`] } as unknown as Transport
    },
  }
}

describe('a transport without a port of its own', () => {
  test('gets a free one, and the same the next time', async () => {
    const { asked, open } = openerOf()
    await openOnLastPort(options(), open)
    await openOnLastPort(options(), open)
    await openOnLastPort(options('127.0.0.1:0'), open)
    expect(asked).toEqual([undefined, '[::]:50000', '127.0.0.1:50000'])
  })

  test('gives up one that was taken meanwhile', async () => {
    await savePort(options(), 4433)
    const { asked, open } = openerOf([4433])
    await openOnLastPort(options(), open)
    expect(asked).toEqual(['[::]:4433', undefined])
    expect(await loadPort(options())).toBe(50_000)
  })

  test('is asked for a fixed one every time, and leaves that of last time alone', async () => {
    await savePort(options(), 4433)
    const { open } = openerOf([7000])
    await expect(openOnLastPort(options('127.0.0.1:7000'), open)).rejects.toBeInstanceOf(BindFailed)
    await openOnLastPort(options('127.0.0.1:7001'), open)
    expect(await loadPort(options())).toBe(4433)
  })
})

describe('the port of last time', () => {
  test('is what was saved, and nothing on a first start', async () => {
    expect(await loadPort(options())).toBeUndefined()
    await savePort(options(), 4433)
    expect(await loadPort(options())).toBe(4433)
  })

  test.each(['', 'x', '0', '65536', '123456', '-1', '4433 4434'])('is none when the file says %j', async (text) => {
    await writeFile(join(folder, 'port'), text)
    expect(await loadPort(options())).toBeUndefined()
  })
})

test.each([
  ['127.0.0.1:0', { ip: '127.0.0.1', port: 0 }],
  ['[::1]:4433', { ip: '[::1]', port: 4433 }],
  ['127.0.0.1:65536', undefined],
  ['localhost:1', undefined],
])('parseBind(%j)', (text, expected) => {
  expect(parseBind(text)).toEqual(expected)
})

test('portOf reads the port of the family that was asked for', () => {
  const addresses = ['iroh:[::1]:2', 'iroh:127.0.0.1:1', 'iroh:https://relay.example/']
  expect(portOf(addresses, '127.0.0.1')).toBe(1)
  expect(portOf(addresses, '[::1]')).toBe(2)
  expect(portOf(['tls:192.0.2.1:3', 'tls:[2001:db8::1]:3'], '[::]')).toBe(3)
  expect(portOf(['iroh:https://relay.example/'], '0.0.0.0')).toBeUndefined()
})
