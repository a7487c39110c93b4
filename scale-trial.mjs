import { connectBackend, storeExecutor } from '/work/w-trial/packages/lattice-api/dist/index.js'
import { kvStore } from '/work/w-trial/packages/lattice-kvstore/dist/index.js'
import { toStoreId, utf8Encode, utf8Decode, toHex } from '/work/w-trial/packages/lattice-model/dist/index.js'
import { createClient } from '/work/w-trial/packages/lattice-store-base/dist/index.js'
const [mode, root, nodes, stores] = process.argv.slice(2)
const b = await Promise.all(Array.from({ length: +nodes }, (_, i) => connectBackend({ socket: `${root}/n${i + 1}/lattice.sock` })))
const log = (...x) => console.log(new Date().toISOString().slice(11, 23), ...x)
const kv = (i, id) => createClient(kvStore, storeExecutor(b[i], id))
if (mode === 'make') {
  let t = performance.now()
  for (let s = 0; s < +stores; s++) {
    const { id } = await b[0].store.create({ name: 's' + s })
    const storeId = toStoreId(id)
    const { token } = await b[0].store.invite({ storeId, uses: 1000 })
    if (s % 7 === 6) log(s); await Promise.all(b.slice(1).map(async (x) => { for await (const _ of x.store.join({ token })); }))
  }
  log(`${stores} stores made and joined by ${nodes - 1} peers in ${Math.round(performance.now() - t)} ms`)
} else {
  const list = (await b[0].store.list({})).stores.map((s) => toStoreId(s.id))
  const at = []
  // node w writes to each store, everybody watches
  for (const w of [0, b.length - 1]) {
    const t0 = new Map(); const lat = []
    const stop = new AbortController()
    const key = `k${Math.floor(performance.now())}-${w}`
    const ready = []
    const seen = list.flatMap((id) => b.map((_, i) => i).filter((i) => i !== w).map((i) => { let ok; ready.push(new Promise((r) => (ok = r))); return (async () => {
      const it = kv(i, id).watch({ snapshot: true, prefix: utf8Encode(key) }, stop.signal)
      setTimeout(ok, 3000)
      for await (const { event } of it) { if (event.case === 'put' && utf8Decode(event.value.key) === key) { lat.push([performance.now() - t0.get(toHex(id)), i]); break } }
    })() }))
    await Promise.all(ready)
    for (const id of list) { t0.set(toHex(id), performance.now()); await kv(w, id).put({ key: utf8Encode(key), value: utf8Encode('x') }); if (mode === 'spread') await new Promise((r) => setTimeout(r, 200)) }
    const late = setTimeout(() => { log('late!', lat.length, 'of', list.length * (b.length - 1)) }, 30000)
    await Promise.all(seen); clearTimeout(late); stop.abort()
    lat.sort((x, y) => x[0] - y[0]); const q = (p) => Math.round(lat[Math.min(lat.length - 1, Math.floor(p * lat.length))][0])
    log(`writer ${w + 1}: ${lat.length} deliveries, p50 ${q(0.5)} ms, p95 ${q(0.95)} ms, max ${q(1)} ms`)
  }
}
for (const [i, x] of b.entries()) { const s = await x.node.getStatus({}); log(`n${i + 1}: ${s.stores} stores, ${s.peers.length} connections: ${s.peers.map((p) => p.path).join()}`) }
await Promise.all(b.map((x) => x.close()))
