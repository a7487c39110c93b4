import { createSeededRandom } from '@lattice/model/testing'
import { StreamLost } from '@lattice/net-types'
import { expect, test } from 'vitest'
import { createOutbox } from './outbox.ts'

test('a write that was granted room and has not noticed rejects when the stream fails in between', async () => {
  const outbox = createOutbox({ random: createSeededRandom('outbox'), windowBytes: 64, send: () => undefined })
  const written = outbox.write(new Uint8Array(1000))
  outbox.grant(32)
  outbox.fail('the connection ended')
  await expect(written).rejects.toThrow(StreamLost)
})
