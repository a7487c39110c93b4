/**
 * A daemon as a process of its own, from source.
 *
 * @module
 */
import { main } from '@lattice/daemon'

process.exitCode = await main(process.argv.slice(2))
