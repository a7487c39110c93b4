/**
 * How every library and app of the workspace is built: ESM for Node 22 and up, one file per entry plus shared chunks,
 * dependencies left as imports, source maps beside the code. Declarations come from `tsc`, see `tsconfig.build.json`.
 *
 * @module
 */
import { defineConfig } from 'tsup'

/** The tsup configuration of a package whose public entries are `entries`, relative to the package. */
export function library(entries: readonly string[]): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry: [...entries],
    format: ['esm'],
    target: ['node22', 'es2023'],
    platform: 'node',
    outDir: 'dist',
    splitting: true,
    sourcemap: true,
    clean: true,
    dts: false,
    treeshake: false,
    silent: true,
    // Dependencies and peers stay imports (tsup's default); so does anything that is only reachable at run time.
    skipNodeModulesBundle: true,
  })
}
