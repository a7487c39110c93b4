/** What the Markdown files of the workspace show, as data for the checks. Pure. */

/** The runnable examples of a README: its ```ts blocks, but those that say they are sketches. */
export function examplesOf(markdown) {
  const blocks = [...markdown.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```$/gm)].map((match) => match[1])
  return blocks.filter((code) => !code.startsWith('// sketch'))
}

/** Languages whose blocks in a guide are quotations of sources. */
const QUOTED = ['ts', 'proto', 'json', 'yaml']

/**
 * The code that a guide quotes: `{ path, code, line }` for each block of a source language. The path is what follows the
 * language on the opening line, as in "```ts src/a.ts"; undefined when there is none.
 */
export function quotesOf(markdown) {
  return [...markdown.matchAll(/^ *```([a-z]+)(?: +(\S+))?[^\n]*\n([\s\S]*?)^ *```$/gm)]
    .filter(([, language]) => QUOTED.includes(language))
    .map((match) => ({
      path: match[2],
      code: match[3],
      line: markdown.slice(0, match.index).split('\n').length,
    }))
}
