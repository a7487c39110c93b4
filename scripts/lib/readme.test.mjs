import { expect, test } from 'vitest'
import { examplesOf, quotesOf } from './readme.mjs'

test('every ts block is an example, but a sketch', () => {
  const markdown = ['# A', '```sh', 'npm i', '```', '```ts', 'one()', '```', '```ts', '// sketch', 'two()', '```'].join(
    '\n',
  )
  expect(examplesOf(markdown)).toEqual(['one()\n'])
})

test('every block of a source language is a quotation, with the file it names', () => {
  const markdown = [
    '# A',
    '```sh',
    'npm i',
    '```',
    '```ts src/a.ts',
    'one()',
    '```',
    '',
    '```proto',
    'two',
    '```',
  ].join('\n')
  expect(quotesOf(markdown)).toEqual([
    { path: 'src/a.ts', code: 'one()\n', line: 5 },
    { path: undefined, code: 'two\n', line: 9 },
  ])
})
