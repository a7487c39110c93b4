/**
 * Properties draw from one seed, so that a commit that is green stays green. `LATTICE_SEED=random` draws anew, and a
 * number replays a run; a failure prints the seed either way.
 *
 * @module
 */
import { configureGlobal } from 'fast-check'

const asked = process.env['LATTICE_SEED'] ?? '20261122'
if (asked !== 'random') configureGlobal({ seed: Number(asked) })
