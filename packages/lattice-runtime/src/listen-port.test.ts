import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LISTEN_PORT_NAME, loadPort, parseBind, portOf, savePort } from './listen-port.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'port-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('the port of last time', () => {
  test('is what was saved, and nothing on a first start', async () => {
    expect(await loadPort(folder)).toBeUndefined()
    await savePort(folder, 4433)
    expect(await loadPort(folder)).toBe(4433)
  })

  test.each(['', 'x', '0', '65536', '123456', '-1', '4433 4434'])('is none when the file says %j', async (text) => {
    await writeFile(join(folder, LISTEN_PORT_NAME), text)
    expect(await loadPort(folder)).toBeUndefined()
  })
})

test.each([
  [undefined, { ip: '0.0.0.0', port: 0 }],
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
  expect(portOf(['iroh:https://relay.example/'], '0.0.0.0')).toBeUndefined()
})
