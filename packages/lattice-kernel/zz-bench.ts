import { createReachIndex } from './src/reach-index.ts'
const store = new Map<number, Uint8Array>()
const key = (l: number, b: number) => l * 2 ** 26 + b
const mem = { read: (l: number, b: number) => store.get(key(l, b)), write: (l: number, b: number, x: Uint8Array) => void store.set(key(l, b), x) }
const mode = process.argv[2] ?? 'round'
const authors = Number(process.argv[3] ?? 20)
const N = Number(process.argv[4] ?? 1_000_000)
let rs = 12345
const rnd = (n: number) => { rs = (Math.imul(rs, 1103515245) + 12345) >>> 0; return Math.floor((rs / 4294967296) * n) }
const index = createReachIndex(mem)
const heads: any[] = []
const places: any[] = []
const gen = { lane: 0, position: 0, seq: 1, causes: [] }
index.advance(gen); places.push(gen)
let frontier: any[] = [gen]
let seq = 1
const t0 = performance.now()
let ck = 0
const runEnds: any[] = Array.from({ length: authors }, () => gen)
while (seq < N) {
  let a = 0, run = 1
  if (mode === 'solo') { a = Math.floor(seq / (N / authors)) % authors; run = 256 }
  else if (mode === 'round') { a = seq % authors; run = 1 }
  else if (mode === 'random') { a = rnd(authors); run = 1 }
  else { a = rnd(authors); run = 8 }
  for (let i = 0; i < run && seq < N; i++) {
    seq++
    const prev = heads[a] ?? gen
    const lane = a + 1
    let causes = [prev]
    if (i === 0 && mode !== 'solo') {
      if (mode === 'runs') causes.push(...[runEnds[rnd(authors)], runEnds[rnd(authors)]].filter((x) => x !== prev))
      else causes.push(...frontier.filter((x) => x !== prev))
    }
    const node = { lane, position: prev.position + 1, seq, causes }
    index.advance(node)
    const place = { lane, position: node.position, seq }
    heads[a] = place; places.push(place)
    frontier = [place]
    if (++ck % 2000 === 0) index.checkpoint()
  }
  runEnds[a] = heads[a]
}
index.checkpoint()
const dt = performance.now() - t0
let bytes = 0; for (const b of store.values()) bytes += b.length
console.log(mode, authors, N, 'advance µs', (dt * 1000 / N).toFixed(2), 'bytes/int', (bytes / N).toFixed(2), 'blocks', store.size, 'avg', (bytes / store.size).toFixed(0), 'rss MB', (process.memoryUsage().rss / 1e6).toFixed(0))
index.load()
for (const pass of ['any', 'any', 'near']) {
  const Q = 100000
  let yes = 0
  const t = performance.now()
  for (let i = 0; i < Q; i++) {
    const b = places[1 + rnd(N - 1)], a = pass === 'near' ? places[Math.max(0, b.seq - 2 - rnd(100))] : places[rnd(b.seq - 1)]
    if (index.isAncestor(a, b)) yes++
  }
  console.log(pass, ((performance.now() - t) * 1000 / Q).toFixed(2), 'µs', yes / Q)
}
const t = performance.now()
for (let i = 0; i < 10000; i++) index.vectorOf(places[rnd(N)])[Symbol.iterator]().next()
console.log('vectorOf', ((performance.now() - t) * 1000 / 10000).toFixed(2), 'µs')
