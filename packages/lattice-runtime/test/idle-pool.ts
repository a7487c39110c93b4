/**
 * A process that starts a pool, has it verify when told to, and then has nothing to do.
 *
 * @module
 */
import { openCrypto } from '@lattice/model/crypto'
import { createVerifyPool } from '../src/verify-pool.ts'

const pool = createVerifyPool({ crypto: await openCrypto(), threads: 1, onFault: () => {} })
await pool.start()
if (process.argv.includes('verify')) await pool.verifyBatch([])
process.stdout.write('done')
