import { expect, test } from 'vitest'
import { examplesOf } from './readme.mjs'

test('every ts block is an example, but a sketch', () => {
  const markdown = ['# A', '```sh', 'npm i', '```', '```ts', 'one()', '```', '```ts', '// sketch', 'two()', '```'].join(
    '\n',
  )
  expect(examplesOf(markdown)).toEqual(['one()\n'])
})
