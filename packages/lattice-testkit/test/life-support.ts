/** What the tests of stores' lives share: stores to do things to, and what is to come of it. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect } from 'vitest'
import type { SimMesh } from '../src/index.ts'
import { put } from './support.ts'

/** A root that all share and a child of it, all of it on all nodes. */
export async function withChild(mesh: SimMesh): Promise<{ team: StoreId; notes: StoreId }> {
  const team = await mesh.share('team')
  const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
  await put(mesh, 0, notes, ['k', 'v'])
  await mesh.converge(team)
  await mesh.converge(notes)
  return { team, notes }
}

export async function reach(mesh: SimMesh, id: StoreId, state: string, indices: readonly number[]): Promise<void> {
  await mesh.run(
    () => indices.every((index) => mesh.store(index, id).state() === state),
    `it is ${state} on ${indices.join(', ')}`,
  )
}

export function hasFiles(mesh: SimMesh, index: number, id: StoreId): boolean {
  return existsSync(join(mesh.peers[index]?.dataDir() ?? '', 'stores', toHex(id)))
}

export function leftovers(mesh: SimMesh, index: number): string[] {
  return readdirSync(join(mesh.peers[index]?.dataDir() ?? '', 'stores')).filter((name) => name.includes('.'))
}

export async function gone(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  await mesh.run(
    () => indices.every((index) => !mesh.store(index, id).summary().hasData),
    `its data is gone on ${indices.join(', ')}`,
  )
  for (const index of indices) expect(hasFiles(mesh, index, id)).toBe(false)
}

export function acks(mesh: SimMesh, index: number, id: StoreId): string[] {
  return mesh
    .store(index, id)
    .systemEntries()
    .map(({ key }) => key)
    .filter((key) => key.includes('destroy-ack'))
}

export async function joinAsAdmin(mesh: SimMesh, index: number, id: StoreId): Promise<void> {
  const { token } = await mesh.complete(mesh.store(0, id).invite({ role: system.Role.ADMIN }))
  await mesh.complete(mesh.node(index).join(token))
}
