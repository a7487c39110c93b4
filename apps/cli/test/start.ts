/**
 * `lattice` from its sources, for tests: no build is needed.
 *
 * @module
 */
import { main } from '../src/index.ts'

process.exitCode = await main(process.argv.slice(2))
