/**
 * A daemon that hosts counters, for the command line to talk to: `node src/daemon.ts DIRECTORY`, until it is interrupted.
 *
 * @module
 */
import { once } from 'node:events'
import { openCounterNode } from './open-node.ts'

const [dataDir = 'counter-data'] = process.argv.slice(2)
const runtime = await openCounterNode({ dataDir, name: 'counter' })
console.log(`ready: ${runtime.socket}`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await runtime.close()
