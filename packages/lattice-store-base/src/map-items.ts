/**
 * Items of a stream, each as something else.
 *
 * Not a generator: one that was never asked for an item does not hear that it is to end, and would leave its source
 * subscribed.
 *
 * @module
 */

/** Converts item by item. Ending the iteration, at any time, ends that of the source. */
export function mapItems<T, U>(items: AsyncIterable<T>, convert: (item: T) => U): AsyncIterable<U> {
  return {
    [Symbol.asyncIterator]: () => {
      const source = items[Symbol.asyncIterator]()
      return {
        next: async () => {
          const next = await source.next()
          return next.done === true ? { done: true, value: undefined } : { done: false, value: convert(next.value) }
        },
        return: async () => {
          await source.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
