/**
 * `npm run bench -- [TOPIC...] [--json FILE]`: runs the topics (all when none is named), prints a table,
 * and writes `{topic, machine, results: [{name, value, unit}]}` (an array of them for several topics).
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Result, Topic } from './result.ts'

interface Report {
  readonly topic: string
  readonly machine: string
  readonly date: string
  readonly results: readonly Result[]
}

const folder = fileURLToPath(new URL('.', import.meta.url))

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true })
  const known = readdirSync(folder).filter((name) => existsSync(`${folder}${name}/bench.ts`))
  const unknown = positionals.filter((topic) => !known.includes(topic))
  if (unknown.length > 0) {
    console.error(`bench: no topic ${unknown.join(', ')}; there are: ${known.join(', ')}`)
    return 2
  }
  const reports: Report[] = []
  for (const topic of positionals.length > 0 ? positionals : known) {
    const report = await measure(topic)
    print(report)
    reports.push(report)
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`)
  return 0
}

const measure = async (topic: string): Promise<Report> => {
  const module = (await import(pathToFileURL(`${folder}${topic}/bench.ts`).href)) as Topic
  return { topic, machine: machine(), date: new Date().toISOString().slice(0, 10), results: await module.run() }
}

const machine = (): string => {
  const [cpu] = cpus()
  const gib = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${gib} GiB, Linux ${release()}, Node ${process.version}`
}

const print = (report: Report): void => {
  const width = Math.max(...report.results.map((result) => result.name.length), 10)
  console.log(`\n${report.topic} (${report.machine})`)
  for (const { name, value, unit } of report.results)
    console.log(`  ${name.padEnd(width)}  ${format(value).padStart(12)} ${unit}`)
}

const format = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)

process.exitCode = await main()
