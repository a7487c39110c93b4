/**
 * The files a schema is made of, dependencies first.
 *
 * @module
 */
import type { DescFile } from '@bufbuild/protobuf'

/** Each file once, after everything it imports. */
export function collectFiles(roots: readonly DescFile[]): readonly DescFile[] {
  const seen = new Set<string>()
  const ordered: DescFile[] = []
  const visit = (file: DescFile): void => {
    if (seen.has(file.name)) return
    seen.add(file.name)
    for (const dependency of file.dependencies) visit(dependency)
    ordered.push(file)
  }
  for (const root of roots) visit(root)
  return ordered
}
