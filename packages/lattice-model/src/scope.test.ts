import { describe, expect, test } from 'vitest'
import { createAbortController } from './abort.ts'
import { isLatticeError } from './errors.ts'
import { createScope, ScopeClosed } from './scope.ts'

/** A promise that the test settles. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe('Scope', () => {
  test('closing aborts, awaits the children, then cleans up in reverse', async () => {
    const order: string[] = []
    const scope = createScope('store')
    const slow = gate()
    scope.onClose(() => {
      order.push('first')
    })
    scope.onClose(async () => {
      await Promise.resolve()
      order.push('second')
    })
    scope.spawn('loop', async (signal) => {
      signal.addEventListener('abort', () => order.push('aborted'))
      await slow.opened
      order.push('child ended')
    })
    const closed = scope.close()
    expect(scope.signal.aborted).toBe(true)
    slow.open()
    await closed
    expect(order).toEqual(['aborted', 'child ended', 'second', 'first'])
  })

  test('closing twice is closing once', async () => {
    let cleanups = 0
    const scope = createScope('store')
    scope.onClose(() => {
      cleanups += 1
    })
    const first = scope.close()
    expect(scope.close()).toBe(first)
    await first
    await scope.close()
    await scope[Symbol.asyncDispose]()
    expect(cleanups).toBe(1)
  })

  test('says why it closed', async () => {
    const plain = createScope('store')
    await plain.close()
    expect(plain.signal.reason).toBeInstanceOf(ScopeClosed)
    expect(isLatticeError(plain.signal.reason)).toBe(true)
    expect(plain.signal.reason).toMatchObject({ code: 'CLOSED', detail: { scope: 'store' } })
    const told = createScope('store')
    await told.close('enough')
    expect(told.signal.reason).toBe('enough')
  })

  test("a parent's abort closes it, with the parent's reason", async () => {
    const parent = createAbortController()
    const scope = createScope('child', parent.signal)
    const cleaned = gate()
    scope.onClose(cleaned.open)
    parent.abort('parent is gone')
    await cleaned.opened
    expect(scope.signal.reason).toBe('parent is gone')
    await scope.close()

    const late = createScope('late', parent.signal)
    expect(late.signal.aborted).toBe(true)
    let started = false
    late.spawn('never', async () => {
      started = true
    })
    await late.close()
    expect(started).toBe(false)
  })

  test('a closed scope no longer listens to its parent', async () => {
    const parent = createAbortController()
    const scope = createScope('child', parent.signal)
    await scope.close('done')
    parent.abort('later')
    expect(scope.signal.reason).toBe('done')
  })

  test('leaves no listener behind on its parent', async () => {
    const { signal } = createAbortController()
    const listeners = new Set<unknown>()
    const counted = Object.create(signal, {
      aborted: { value: false },
      addEventListener: { value: (_type: string, listener: unknown) => listeners.add(listener) },
      removeEventListener: { value: (_type: string, listener: unknown) => listeners.delete(listener) },
    }) as typeof signal
    const scope = createScope('child', counted)
    expect(listeners.size).toBe(1)
    await scope.close()
    expect(listeners.size).toBe(0)
  })

  test('a failing child closes the scope and is what closing rejects with', async () => {
    const failures: [unknown, string][] = []
    const scope = createScope('store', undefined, { onFailure: (error, task) => failures.push([error, task]) })
    const torn = new Error('torn')
    const cleaned = gate()
    scope.onClose(cleaned.open)
    scope.spawn('writer', async () => {
      throw torn
    })
    let siblingAborted = false
    scope.spawn('sibling', async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      siblingAborted = true
    })
    await cleaned.opened
    expect(siblingAborted).toBe(true)
    expect(failures).toEqual([[torn, 'writer']])
    expect(scope.signal.reason).toBe(torn)
    await expect(scope.close()).rejects.toBe(torn)
    await expect(scope.close()).rejects.toBe(torn)
  })

  test('a child that rejects with the abort reason has not failed', async () => {
    const scope = createScope('store')
    scope.spawn('loop', async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      signal.throwIfAborted()
    })
    await expect(scope.close()).resolves.toBeUndefined()
  })

  test('a child that fails while closing has failed', async () => {
    const scope = createScope('store')
    scope.spawn('loop', async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      throw new Error('could not flush')
    })
    await expect(scope.close()).rejects.toThrow('could not flush')
  })

  test('a failing cleanup stops no other, and every failure is told', async () => {
    const scope = createScope('store')
    let ran = 0
    for (const name of ['a', 'b']) {
      scope.onClose(() => {
        ran += 1
        throw new Error(name)
      })
    }
    scope.onClose(() => {
      ran += 1
    })
    const failure: unknown = await scope.close().catch((error: unknown) => error)
    expect(ran).toBe(3)
    expect(failure).toBeInstanceOf(AggregateError)
    expect((failure as AggregateError).errors).toMatchObject([{ message: 'b' }, { message: 'a' }])
  })

  test('a cleanup registered while closing runs, and one registered after runs at once', async () => {
    const failures: unknown[] = []
    const scope = createScope('store', undefined, { onFailure: (error) => failures.push(error) })
    const order: string[] = []
    scope.onClose(() => {
      scope.onClose(() => {
        order.push('while closing')
      })
    })
    await scope.close()
    scope.onClose(() => {
      order.push('after')
    })
    expect(order).toEqual(['while closing', 'after'])
    scope.onClose(() => {
      throw new Error('late')
    })
    expect(failures).toMatchObject([{ message: 'late' }])
  })
})
