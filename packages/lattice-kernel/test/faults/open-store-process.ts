/**
 * A process that opens a store, writes once, and says on its standard output what came of it.
 *
 * @module
 */
import { writeSync } from 'node:fs'
import { genesisStoreId, isLatticeError } from '@lattice/model'
import { genesisOf, openTestKernel, signerOf } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'

const [, , directory = ''] = process.argv
try {
  const { kernel } = await openTestKernel({ directory, storeId: genesisStoreId(genesisOf(signerOf(1))) })
  await kernel.submit(appOp('set k v'))
  await kernel.close()
  writeSync(1, 'written\n')
} catch (error) {
  writeSync(1, `${isLatticeError(error) ? error.code : String(error)}\n`)
}
