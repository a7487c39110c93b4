import { type AbortSignal, createAbortController } from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { type ComplianceCase, transportCompliance } from '@lattice/net-types/compliance'
import { describe, expect, test } from 'vitest'
import { createSimNetwork, simAddress, type SimNetworkOptions } from './index.ts'
import { keyOf, runInVirtualTime } from './testing/virtual-time.ts'

const nobody = keyOf(99)

interface Flaws {
  readonly network?: Partial<SimNetworkOptions>
  readonly transport?: (sound: Transport) => Partial<Transport>
  readonly connection?: (sound: Connection) => Partial<Connection>
  readonly stream?: (sound: BiStream) => Partial<BiStream>
}

async function* mapped<T>(source: AsyncIterable<T>, map: (item: T) => T): AsyncIterable<T> {
  for await (const item of source) yield map(item)
}

/** The cases over a network of their own, with whatever is wrong with it. */
function casesOver({ network: networkFlaws, ...flaws }: Flaws): readonly ComplianceCase[] {
  const scheduler = createManualScheduler()
  const network = createSimNetwork({
    random: createSeededRandom('compliance'),
    scheduler,
    latencyMs: { min: 1, max: 20 },
    discovery: false,
    ...networkFlaws,
  })
  const spoilStream = (sound: BiStream): BiStream => ({ ...sound, ...flaws.stream?.(sound) })
  const spoilConnection = (sound: Connection): Connection => {
    const streams = mapped(sound.streams, spoilStream)
    const open = async (): Promise<BiStream> => spoilStream(await sound.open())
    return { ...sound, peer: sound.peer, streams, open, ...flaws.connection?.(sound) }
  }
  const spoilTransport = (sound: Transport): Transport => {
    const incoming = mapped(sound.incoming, spoilConnection)
    const connect: Transport['connect'] = async (peer, options) => spoilConnection(await sound.connect(peer, options))
    return { ...sound, incoming, connect, ...flaws.transport?.({ ...sound, incoming, connect }) }
  }
  return transportCompliance({
    open: async (index) => spoilTransport(network.transport(keyOf(index))),
    nobody: { peer: nobody, addresses: [simAddress(nobody)] },
    during: (body) => runInVirtualTime(scheduler, body),
  })
}

describe('the simulated transport', () => {
  for (const { name, run } of casesOver({})) test(name, run)
})

describe('the compliance cases notice', () => {
  const never = new Promise<never>(() => undefined)
  const flawed: readonly (readonly [flaw: string, rule: string, Flaws])[] = [
    ['a wrong key', 'knows the proved key', { connection: () => ({ peer: nobody }) }],
    ['a wrong direction', 'knows the proved key', { connection: () => ({ outgoing: true }) }],
    [
      'a write that loses a byte',
      'a large transfer',
      { stream: ({ write }) => ({ write: (b) => write(b.subarray(1)) }) },
    ],
    ['an empty read', 'only the order of bytes', { stream: () => ({ read: async () => new Uint8Array() }) }],
    ['a finish that does nothing', 'can still be written to', { stream: () => ({ finish: async () => undefined }) }],
    [
      'a finish that ends both directions',
      'can still be written to',
      { stream: ({ reset }) => ({ finish: async () => reset() }) },
    ],
    ['a reset that does nothing', 'a reset is an error at both ends', { stream: () => ({ reset: () => undefined }) }],
    ['a buffer without bound', 'makes its writer wait', { network: { streamWindowBytes: 2 ** 30 } }],
    ['a close nobody learns of', 'closing a connection ends', { connection: () => ({ close: async () => undefined }) }],
    [
      'a close reason that is lost',
      'closing a connection ends',
      { connection: ({ close }) => ({ close: () => close('') }) },
    ],
    ['an end that is not told', 'closing a connection is idempotent', { connection: () => ({ closed: never }) }],
    [
      'an abort that is ignored',
      'rejects with the reason of an abort',
      {
        transport: ({ connect }) => ({
          connect: (peer, { addresses }) => connect(peer, { addresses, signal: noAbort() }),
        }),
      },
    ],
    ['a dial that never ends', 'nobody answers', { transport: () => ({ connect: () => never }) }],
    [
      'a dial that finds anybody',
      'another key than the one dialled',
      { transport: ({ connect }) => ({ connect: (_, o) => connect(keyOf(1), o) }) },
    ],
    [
      'a transport that stays open',
      'closing a transport ends its connections',
      { transport: () => ({ close: async () => undefined }) },
    ],
  ]
  test.each(flawed)('%s', async (_, rule, flaws) => {
    const found = casesOver(flaws).filter(({ name }) => name.includes(rule))
    expect(found).toHaveLength(1)
    for (const { run } of found) await expect(run()).rejects.toBeInstanceOf(Error)
  })
})

function noAbort(): AbortSignal {
  return createAbortController().signal
}
