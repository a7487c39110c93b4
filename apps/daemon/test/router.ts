/**
 * A host that is the router and the resolver of the others, and names every packet that reaches it.
 *
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Host, onHost } from './namespaces.ts'

const run = promisify(execFile)
const LISTENER = join(import.meta.dirname, 'listen-on-host.ts')
const SEND_MARKER = `const socket = require('node:dgram').createSocket('udp4'); socket.send('x', 7777, process.argv[1], () => socket.close())`

export interface Router {
  /** What was heard up to the next packet of this kind, that one included: `dns 10.88.0.1`. */
  readonly heardUntil: (kind: string) => Promise<readonly string[]>
  /** What was heard up to now, from whatever has been sent before the call. */
  readonly heard: () => Promise<readonly string[]>
  readonly close: () => void
}

/** Starts listening. `other` is a host that nothing is asked of but to send a marker. */
export async function startRouter(host: Host, other: Host): Promise<Router> {
  const [command, args] = onHost(host, process.execPath, [LISTENER, host.address()])
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new TypeError('stdout is a pipe')
  const reader = createInterface({ input: child.stdout })
  const lines = reader[Symbol.asyncIterator]()
  const heardUntil = async (kind: string): Promise<readonly string[]> => {
    const heard: string[] = []
    for (;;) {
      const next = await lines.next()
      if (next.done === true) throw new Error(`the router ended before it heard ${kind}`)
      heard.push(next.value)
      if (next.value.split(' ')[0] === kind) return heard
    }
  }
  const mark = async (): Promise<readonly string[]> => {
    const [sender, argv] = onHost(other, process.execPath, ['-e', SEND_MARKER, host.address()])
    await run(sender, argv)
    return heardUntil('marker')
  }
  await heardUntil('ready')
  return {
    heardUntil,
    // What has arrived before the first marker may be read after it, and is read before the second.
    heard: async () => [...(await mark()), ...(await mark())],
    close: () => {
      reader.close()
      child.kill('SIGKILL')
    },
  }
}
