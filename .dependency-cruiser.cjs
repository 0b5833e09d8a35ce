/** The walls of the house (ARCHITECTURE.md): arrows only downwards, never a sibling component, enter through index.ts, pure files import no I/O. */
const layers = [
  ['base', 'ip', 'schema'],
  ['api', 'model'],
  ['host'],
  ['kernel', 'store', 'client', 'informers', 'l4', 'l7'],
  ['apiserver', 'controllers', 'proxy', 'loadbalancer', 'ingress', 'dns', 'node', 'emulator'],
  ['cli', 'cluster', 'dashboard'],
]

/** Edges inside one layer that are allowed; everything else in a layer is a sibling. */
const sameLayerAllowed = {
  api: ['model'],
  client: ['informers'],
  cluster: ['cli', 'dashboard'],
}

const notTest = '\\.(test|conformance)\\.ts$|/testing/'
const layerRules = layers.flatMap((folders, level) =>
  folders.map((folder) => {
    const below = layers.slice(0, level).flat()
    const allowedSiblings = folders.filter((other) => other === folder || (sameLayerAllowed[other] ?? []).includes(folder))
    const allowed = [...below, ...allowedSiblings]
    return {
      name: `layers-${folder}`,
      comment: `src/${folder} may import only: ${allowed.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: notTest },
      to: { path: '^src/', pathNot: `^src/(${allowed.join('|')})/` },
    }
  }),
)

const pure = [
  '^src/(schema|ip|api|model)/',
  '/(snapshot|desired|diff|render)[^/]*\\.ts$',
  '^src/ingress/(routes|annotations)/',
  '^src/dns/(zone|message)',
  '^src/proxy/trace/',
].join('|')

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'enter-by-index',
      comment: 'another folder is entered through its index.ts (api/<group>/index.ts counts)',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: notTest },
      to: {
        path: '^src/([^/]+)/.+',
        pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$', '^src/(api|kernel|controllers|l7|host|proxy/backends)/[^/]+/index\\.ts$'],
      },
    },
    {
      name: 'no-testing-in-production',
      severity: 'error',
      from: { path: '^src/', pathNot: notTest },
      to: { path: notTest },
    },
    {
      name: 'pure-has-no-io',
      severity: 'error',
      from: { path: pure, pathNot: notTest },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer|net)$' },
    },
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], conditionNames: ['import', 'node'] },
  },
}
