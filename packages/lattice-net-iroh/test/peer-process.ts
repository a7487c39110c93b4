/**
 * A node of its own process: answers every stream with what it carried, until its parent hangs up.
 *
 * Run with the index of its key. Sends its key and addresses to the parent once it listens.
 *
 * @module
 */
import process from 'node:process'
import { toHex, toSeed } from '@lattice/model'
import type { BiStream, Connection } from '@lattice/net-types'
import { openIrohTransport } from '../src/index.ts'
import { hostScheduler } from './host-scheduler.ts'

const index = Number(process.argv[2])
const transport = await openIrohTransport({
  secretSeed: toSeed(new Uint8Array(32).fill(index + 1)),
  bindAddress: '127.0.0.1:0',
  relay: 'off',
  scheduler: hostScheduler,
})

async function echo(stream: BiStream): Promise<void> {
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) await stream.write(chunk)
  await stream.finish()
}

async function serve(connection: Connection): Promise<void> {
  for await (const stream of connection.streams) await echo(stream)
}

process.once('message', () => {
  // The parent said goodbye: nothing else keeps this process alive.
  process.disconnect()
  transport.close().catch(() => (process.exitCode = 1))
})
process.send?.({ id: toHex(transport.id), addresses: transport.addresses() })
for await (const connection of transport.incoming) {
  // Ends with the connection, whose streams fail then.
  serve(connection).catch(() => undefined)
}
