import { describe, expect, test } from 'vitest'
import { createMutex } from './mutex.ts'

describe('mutex', () => {
  test('runs one task at a time, in order, whatever the ones before came to', async () => {
    const mutex = createMutex({ capacity: 8 })
    const trace: string[] = []
    const task = (name: string, fails: boolean) => async (): Promise<string> => {
      trace.push(`${name} begins`)
      await Promise.resolve()
      trace.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    }
    const results = await Promise.allSettled([mutex.run(task('a', true)), mutex.run(task('b', false))])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(trace).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  test('refuses beyond its capacity, and takes more once there is room', async () => {
    const mutex = createMutex({ capacity: 1 })
    let release = (): void => undefined
    const held = mutex.run(
      () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
    )
    await expect(mutex.run(async () => 1)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    release()
    await held
    expect(await mutex.run(async () => 2)).toBe(2)
  })
})
