/**
 * Writes the golden vectors: `node --conditions=source packages/lattice-model/test/write-vectors.mjs`.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import { openCrypto } from '../src/crypto.ts'
import { makeVectors } from './vectors.ts'

for (const [name, vectors] of Object.entries(makeVectors(await openCrypto()))) {
  const file = new URL(`../../lattice-proto/vectors/${name}`, import.meta.url)
  writeFileSync(file, `${JSON.stringify(vectors, undefined, 2)}\n`)
}
