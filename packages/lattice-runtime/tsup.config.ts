import { library } from '../../scripts/tsup.ts'

export default library(['src/index.ts', 'src/data-dir-default.ts', 'src/verify-pool.ts', 'src/verify-worker.ts'])
