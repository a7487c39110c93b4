import { runSimulation } from '/work/g-sim/packages/lattice-testkit/src/simulation/run-simulation.ts'
import { prepareMesh } from '/work/g-sim/packages/lattice-testkit/src/simulation/prepared-mesh.ts'
const cpu = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1000 }
const [from, to, verbose] = process.argv.slice(2)
let t0 = cpu()
const prepared = await prepareMesh(6)
console.log('prepared', (cpu() - t0) | 0)
for (let seed = Number(from); seed < Number(to); seed++) {
  t0 = cpu()
  try {
    const r = await runSimulation({ seed, minutes: Number(process.env.MIN ?? 1), prepared, ...(verbose ? { onLine: (l: string) => console.log(l) } : {}) })
    console.log(seed, 'ok', (cpu() - t0) | 0, 'ms cpu', JSON.stringify({ ...r, plan: undefined, faults: undefined }))
  } catch (e) { console.log(seed, 'FAILED', (cpu() - t0) | 0, String((e as Error).message), (e as Error).cause ? String(((e as Error).cause as Error).stack) : '') }
}
prepared.remove()
