/**
 * A node of its own process, reached by QUIC directly and by TLS through somebody in between.
 *
 * Run with its data directory and the port of whoever stands in between; tells its parent the port that TLS listens on.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { coreOpeners, createRuntimeBuilder, peerTransport, type TransportFactory } from '../src/index.ts'

const [, , dataDir, proxyPort] = process.argv
assert(dataDir !== undefined, 'the data directory is given')

const proxied: TransportFactory = async (deps) => {
  const transport = await peerTransport({ relay: 'off', bind: '127.0.0.1:0' })(deps)
  const port = /^tls:127\.0\.0\.1:(\d+)$/
  const tlsPort = transport.addresses().flatMap((address) => port.exec(address)?.[1] ?? [])[0]
  process.send?.({ tlsPort: Number(tlsPort) })
  return {
    ...transport,
    addresses: () =>
      transport.addresses().map((address) => (port.test(address) ? `tls:127.0.0.1:${proxyPort}` : address)),
  }
}

const runtime = await createRuntimeBuilder({ dataDir })
  .withOpeners(coreOpeners())
  .withTransport(proxied)
  .withoutScrub()
  .withRpc()
  .build()
process.once('message', () => {
  // The parent said goodbye: nothing else keeps this process alive.
  process.disconnect()
  runtime.close().catch(() => (process.exitCode = 1))
})
process.send?.({ ready: true })
