/** The runnable examples of a README: its ```ts blocks, but those that say they are sketches. Pure. */
export function examplesOf(markdown) {
  const blocks = [...markdown.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```$/gm)].map((match) => match[1])
  return blocks.filter((code) => !code.startsWith('// sketch'))
}
