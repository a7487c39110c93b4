/** How a node says that it and its stores are, on real files. */
import { chmodSync, closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import type { Finding } from '@lattice/node'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { put } from './support.ts'

/** The room on the machine that runs the tests is not theirs to judge. */
async function diagnose(mesh: SimMesh, index: number): Promise<readonly Finding[]> {
  const findings = await mesh.complete(mesh.node(index).diagnose())
  return findings.filter(({ code }) => code !== 'disk' && code !== 'disk_low')
}

function of(findings: readonly Finding[], code: string): Finding {
  const [only, ...others] = findings.filter((finding) => finding.code === code)
  if (only === undefined || others.length > 0) throw new Error(`not one ${code}`)
  return only
}

test('all is well: versions, permissions, peers, growth, and what was verified', async () => {
  await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
  const id = await mesh.share('team')
  await mesh.converge(id)
  await mesh.stop(0)
  await mesh.start(0, {
    about: { version: '1.2.3', runtime: 'Node.js 24', crypto: 'wasm' },
    scrub: { passMs: 600_000 },
  })
  await mesh.run(() => mesh.store(0, id).status().synced, 'node 1 is there')
  await mesh.time.pass(7_200_000)
  for (let n = 0; n < 20; n += 1) await put(mesh, 0, id, [`k${n}`, 'v'.repeat(1000)])
  await mesh.converge(id)
  const findings = await diagnose(mesh, 0)
  expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([])
  expect(of(findings, 'versions').what).toMatch(
    /^lattice 1\.2\.3, Node\.js 24, SQLite 3\.\d+\.\d+, wasm cryptography$/u,
  )
  expect(of(findings, 'network').detail).toMatchObject({
    transport: 'sim',
    addresses: [`sim:${toHex(mesh.node(0).id)}`],
  })
  expect(of(findings, 'peers').detail).toEqual({ known: 1, online: 1 })
  expect(of(findings, 'clock').detail).toMatchObject({ peers: 1 })
  const size = of(findings, 'size')
  expect(size.store?.path).toBe('team')
  expect(size.detail['grownRecords']).toBeGreaterThanOrEqual(20)
  expect(size.detail['grownBytes']).toBeGreaterThan(20_000)
  expect(size.what).toMatch(/ a day$/u)
  expect(of(findings, 'integrity').what).toContain('all of it was read through in the background')
  await mesh.complete(mesh.store(0, id).verify({ full: true }))
  expect(of(await diagnose(mesh, 0), 'integrity')).toMatchObject({ severity: 'ok', remedy: '', detail: { full: true } })
})

test('a key that others may read, and a log that is damaged', async () => {
  await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
  const id = await mesh.share('team')
  for (let n = 0; n < 30; n += 1) await put(mesh, 1, id, [`k${n}`, `value-${n}-`.padEnd(300, '.')])
  await mesh.converge(id)
  const dataDir = mesh.peers[1]?.dataDir() ?? ''
  chmodSync(join(dataDir, 'identity.key'), 0o644)
  chmodSync(dataDir, 0o750)
  const exposed = await diagnose(mesh, 1)
  expect(of(exposed, 'identity')).toMatchObject({ severity: 'problem', detail: { mode: '0644' } })
  expect(of(exposed, 'data_dir')).toMatchObject({ severity: 'warning', detail: { mode: '0750' } })
  expect(of(exposed, 'identity').remedy).toContain(`chmod 600 '${join(dataDir, 'identity.key')}'`)
  chmodSync(join(dataDir, 'identity.key'), 0o600)
  await mesh.stop(1)
  const path = join(dataDir, 'stores', toHex(id), 'log.db')
  const content = readFileSync(path)
  const file = openSync(path, 'r+')
  for (let at = content.indexOf('value-9-'); at >= 0; at = content.indexOf('value-9-', at + 1)) {
    writeSync(file, new Uint8Array(4096), 0, 4096, Math.floor(at / 4096) * 4096)
  }
  closeSync(file)
  await mesh.start(1)
  await mesh.complete(mesh.store(1, id).verify())
  const damaged = of(await diagnose(mesh, 1), 'integrity')
  expect(damaged).toMatchObject({ severity: 'problem', store: { id } })
  expect(damaged.remedy).toContain('store repair')
  await mesh.complete(mesh.store(1, id).repair())
  await mesh.converge(id)
  const mended = of(await diagnose(mesh, 1), 'integrity')
  expect(mended.severity).not.toBe('problem')
  expect(mended.what).toContain('not verified since')
})

test('a node that nobody reaches, and stores that are on it alone', async () => {
  await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
  expect(of(await diagnose(mesh, 0), 'peers')).toMatchObject({ severity: 'info', detail: { known: 0 } })
  await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
  expect(of(await diagnose(mesh, 0), 'peers')).toMatchObject({ severity: 'warning', detail: { known: 0 } })
  const id = await mesh.share('team')
  await mesh.converge(id)
  await mesh.stop(1)
  await mesh.time.pass(60_000)
  expect(of(await diagnose(mesh, 0), 'peers')).toMatchObject({ severity: 'warning', detail: { known: 1, online: 0 } })
})
