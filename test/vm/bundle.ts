import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The part of esbuild's API that is used; the package itself comes with tsx. */
interface Esbuild {
  build(options: object): Promise<unknown>
}

interface Builder {
  onResolve(filter: { readonly filter: RegExp }, resolve: (found: { path: string; resolveDir: string }) => object): void
}

/** Makes one JavaScript file of each entry in `folder`: loading hundreds of sources, and tsx, takes minutes in a machine without acceleration. */
export const bundle = async (entries: Readonly<Record<string, string>>, folder: string): Promise<void> => {
  const tsx = createRequire(import.meta.url).resolve('tsx/package.json')
  const path = createRequire(tsx).resolve('esbuild')
  // A package that another brings along has no types here.
  const esbuild = ((await import(pathToFileURL(path).href)) as { readonly default: Esbuild }).default
  await esbuild.build({
    entryPoints: entries,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    plugins: [{ name: 'only-what-is-used', setup: onlyWhatIsUsed }],
  })
}

/** Our modules do nothing when they are loaded, so what is not used can be left out, and with it the packages that it uses. */
const onlyWhatIsUsed = (build: Builder): void => {
  build.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir }) => ({
    path: resolve(resolveDir, path),
    sideEffects: false,
  }))
  build.onResolve({ filter: /^[@a-z]/ }, ({ path }) => (/^node:/.test(path) ? {} : { path, external: true, sideEffects: false }))
}
