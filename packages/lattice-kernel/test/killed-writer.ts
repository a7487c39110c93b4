/**
 * A process that writes until it is killed, and says on its standard output what was acknowledged.
 *
 * @module
 */
import { writeSync } from 'node:fs'
import { toHex } from '@lattice/model'
import { createTestStore } from './harness.ts'
import { appOp } from './tracking-projector.ts'

const [, , directory = ''] = process.argv
const { kernel } = await createTestStore({ directory })

async function writeOn(writer: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const id = await kernel.submit(appOp(`set ${writer}-${n} v`))
    // Straight to the pipe: what is buffered would die with the process.
    writeSync(1, `${toHex(id)}\n`)
  }
}

await Promise.all([0, 1, 2, 3].map(writeOn))
