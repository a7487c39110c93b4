/**
 * @module
 */
import type { SimMesh } from '../src/index.ts'

/** Waits for what waits for a real disk: virtual time goes on as far as nothing has to wait for it. */
export async function onDisk<T>(mesh: SimMesh, promise: Promise<T>): Promise<T> {
  let isOver = false
  promise.finally(() => (isOver = true)).catch(() => undefined)
  while (!isOver) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    if (mesh.time.scheduler.nextDelayMs() === 0) await mesh.time.pass(0)
  }
  return promise
}
