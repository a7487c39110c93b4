// Runs the daemon without a build: started with --conditions=source.
const { main } = await import('../src/index.ts')
process.exitCode = await main(process.argv.slice(2))
