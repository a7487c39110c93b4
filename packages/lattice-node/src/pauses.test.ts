import { createManualClock } from '@lattice/model/testing'
import { expect, test } from 'vitest'
import { createPauses } from './pauses.ts'

test('each key is let be for its time, from the last that began', () => {
  const clock = createManualClock()
  const pauses = createPauses<string>(clock, 100)
  pauses.begin('a')
  clock.advance(60)
  pauses.begin('b')
  expect(['a', 'b', 'c'].map(pauses.isPaused)).toEqual([true, true, false])
  clock.advance(40)
  expect(['a', 'b'].map(pauses.isPaused)).toEqual([false, true])
  pauses.begin('b')
  clock.advance(99)
  expect(['a', 'b'].map(pauses.isPaused)).toEqual([false, true])
  clock.advance(1)
  expect(['a', 'b'].map(pauses.isPaused)).toEqual([false, false])
})
