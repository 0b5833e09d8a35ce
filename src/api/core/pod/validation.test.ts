import { describe, expect, it } from 'vitest'
import { decoded, problemLines, problemsOf } from '../../testing/index.ts'
import { podKind } from './kind.ts'

type Raw = Readonly<Record<string, unknown>>
const main = { name: 'main', image: 'fairway/echo' }
const pod = (spec: Raw, more: Raw = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  spec: { containers: [main], ...spec },
  ...more,
})
const container = (more: Raw): Raw => ({ containers: [{ ...main, ...more }] })
const at = 'spec.containers[0]'
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"

describe('a Pod is accepted', () => {
  it.each<[string, Raw]>([
    ['with one container', {}],
    [
      'with a sidecar that is probed',
      {
        initContainers: [{ name: 'side', image: 'x', restartPolicy: 'Always', readinessProbe: { tcpSocket: { port: 'http' } } }],
      },
    ],
    [
      'with parts that nobody interprets here',
      {
        affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: {} }] } },
        overhead: { cpu: '1' },
      },
    ],
    [
      'with a volume that is an empty directory by default',
      { volumes: [{ name: 'tmp' }], ...container({ volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] }) },
    ],
    [
      'with an environment',
      container({
        env: [
          { name: 'A.b', value: '1' },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a.b/c']" } } },
          { name: 'K', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        ],
        envFrom: [{ prefix: 'X_', configMapRef: { name: 'c' } }],
      }),
    ],
    ['with requests below limits', container({ resources: { requests: { cpu: '100m' }, limits: { cpu: '1', memory: '1Gi' } } })],
  ])('%s', (_, spec) => {
    expect(problemsOf(podKind, pod(spec))).toEqual([])
  })
})

describe('a Pod is refused', () => {
  it.each<[string, Raw, string[]]>([
    ['without containers', { containers: [] }, ['spec.containers: Required']],
    ['with a container without name and image', { containers: [{}] }, [`${at}.name: Required`, `${at}.image: Required`]],
    [
      'with names that repeat or are none',
      { containers: [main, main], initContainers: [{ ...main }, { name: 'A', image: 'x' }] },
      [
        'spec.containers[1].name: Duplicate',
        'spec.initContainers[0].name: Duplicate',
        `spec.initContainers[1].name: Invalid ${label}`,
      ],
    ],
    [
      'with blanks around an image',
      container({ image: ' x' }),
      [`${at}.image: Invalid must not have leading or trailing whitespace`],
    ],
    [
      'with bad ports',
      container({
        ports: [
          { containerPort: 0 },
          { containerPort: 65536, protocol: 'X', name: 'a' },
          { containerPort: 1, name: 'a' },
          { containerPort: 2, name: 'Too_Long_For_A_Port' },
        ],
      }),
      [
        `${at}.ports[0].containerPort: Required`,
        `${at}.ports[1].containerPort: Invalid must be between 1 and 65535, inclusive`,
        `${at}.ports[1].protocol: NotSupported supported values: "SCTP", "TCP", "UDP"`,
        `${at}.ports[2].name: Duplicate`,
        `${at}.ports[3].name: Invalid must be no more than 15 bytes`,
        `${at}.ports[3].name: Invalid must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
      ],
    ],
    [
      'with the same host port twice',
      {
        containers: [
          { ...main, ports: [{ containerPort: 1, hostPort: 80 }] },
          { name: 'b', image: 'x', ports: [{ containerPort: 2, hostPort: 80 }] },
        ],
      },
      ['spec.containers[1].ports[0].hostPort: Duplicate'],
    ],
    [
      'with another host port in the host network',
      { hostNetwork: true, ...container({ ports: [{ containerPort: 1, hostPort: 2 }] }) },
      [`${at}.ports[0].hostPort: Invalid must match \`containerPort\` when \`hostNetwork\` is true`],
    ],
    [
      'with an environment that contradicts itself',
      container({
        env: [
          { name: '' },
          { name: 'a=b' },
          { name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'B', valueFrom: {} },
          { name: 'C', valueFrom: { fieldRef: { fieldPath: 'spec.secret' } } },
          { name: 'D', valueFrom: { configMapKeyRef: { key: 'a/b' } } },
        ],
      }),
      [
        `${at}.env[0].name: Required`,
        `${at}.env[1].name: Invalid a valid environment variable name must consist only of printable ASCII characters other than '='`,
        `${at}.env[2].valueFrom: Invalid may not be specified when \`value\` is not empty`,
        `${at}.env[3].valueFrom: Invalid must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\` or \`secretKeyRef\``,
        `${at}.env[4].valueFrom.fieldRef.fieldPath: NotSupported supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
        `${at}.env[5].valueFrom.configMapKeyRef.name: Required`,
        `${at}.env[5].valueFrom.configMapKeyRef.key: Invalid a valid config key must consist of alphanumeric characters, '-', '_' or '.'`,
      ],
    ],
    [
      'with an envFrom of nothing or of two',
      container({ envFrom: [{}, { configMapRef: { name: 'a' }, secretRef: {} }] }),
      [
        `${at}.envFrom[0]: Invalid must specify one of: \`configMapRef\` or \`secretRef\``,
        `${at}.envFrom[1]: Invalid may not have more than one field specified at a time`,
        `${at}.envFrom[1].secretRef.name: Required`,
      ],
    ],
    [
      'with bad probes',
      container({
        livenessProbe: {},
        readinessProbe: { exec: {}, tcpSocket: { port: 0 }, periodSeconds: -1, terminationGracePeriodSeconds: 5 },
        startupProbe: { httpGet: { port: 'X!', scheme: 'FTP' }, successThreshold: 2 },
      }),
      [
        `${at}.livenessProbe: Required must specify a handler type`,
        `${at}.readinessProbe.tcpSocket: Forbidden may not specify more than 1 handler type`,
        `${at}.readinessProbe.exec.command: Required`,
        `${at}.readinessProbe.tcpSocket.port: Invalid must be between 1 and 65535, inclusive`,
        `${at}.readinessProbe.periodSeconds: Invalid must be greater than or equal to 0`,
        `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid must not be set for readinessProbes`,
        `${at}.startupProbe.httpGet.port: Invalid must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
        `${at}.startupProbe.httpGet.port: Invalid must contain at least one letter (a-z)`,
        `${at}.startupProbe.httpGet.scheme: NotSupported supported values: "HTTP", "HTTPS"`,
        `${at}.startupProbe.successThreshold: Invalid must be 1`,
      ],
    ],
    [
      'with a hook of no kind',
      container({ lifecycle: { preStop: {} } }),
      [`${at}.lifecycle.preStop: Required must specify a handler type`],
    ],
    [
      'with an init container that is probed',
      { initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['a'] } } }] },
      ['spec.initContainers[0].livenessProbe: Forbidden may not be set for init containers without restartPolicy=Always'],
    ],
    [
      'with mounts of nothing',
      container({
        volumeMounts: [
          { name: 'a', mountPath: '/a' },
          { name: '', mountPath: '' },
        ],
      }),
      [
        `${at}.volumeMounts[0].name: NotFound`,
        `${at}.volumeMounts[1].name: Required`,
        `${at}.volumeMounts[1].mountPath: Required`,
      ],
    ],
    [
      'with volumes of two sources',
      {
        volumes: [
          { name: 'a', emptyDir: {}, hostPath: { path: '/' } },
          { name: 'a', secret: {} },
        ],
      },
      [
        'spec.volumes[0].hostPath: Forbidden may not specify more than 1 volume type',
        'spec.volumes[1].name: Duplicate',
        'spec.volumes[1].secret.secretName: Required',
      ],
    ],
    [
      'with requests above limits',
      container({ resources: { requests: { cpu: '2', memory: '-1' }, limits: { cpu: '1500m' } } }),
      [
        `${at}.resources.requests[memory]: Invalid must be greater than or equal to 0`,
        `${at}.resources.requests: Invalid must be less than or equal to cpu limit of 1500m`,
      ],
    ],
    [
      'with unknown policies',
      { restartPolicy: 'Sometimes', dnsPolicy: 'Guess', ...container({ imagePullPolicy: 'Maybe' }) },
      [
        `${at}.imagePullPolicy: NotSupported supported values: "Always", "IfNotPresent", "Never"`,
        'spec.restartPolicy: NotSupported supported values: "Always", "Never", "OnFailure"',
        'spec.dnsPolicy: NotSupported supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"',
      ],
    ],
    [
      'without name servers where it brings its own',
      { dnsPolicy: 'None' },
      ['spec.dnsConfig: Required must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      'with names that are none',
      { hostname: 'a.b', nodeName: 'A', hostAliases: [{ ip: 'x' }] },
      [
        "spec.nodeName: Invalid a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        'spec.hostname: Invalid must not contain dots',
        'spec.hostAliases[0].ip: Invalid must be a valid IP address,',
      ],
    ],
    [
      'with a deadline of nothing',
      { activeDeadlineSeconds: 0 },
      ['spec.activeDeadlineSeconds: Invalid must be between 1 and 2147483647, inclusive'],
    ],
    [
      'with a toleration that says nothing',
      { tolerations: [{ effect: 'NoSchedule', tolerationSeconds: 5 }] },
      [
        'spec.tolerations[0].operator: Invalid operator must be Exists when `key` is empty, which means "match all values and all keys"',
        "spec.tolerations[0].effect: Invalid effect must be 'NoExecute' when `tolerationSeconds` is set",
      ],
    ],
    [
      'with ephemeral containers from the start',
      { ephemeralContainers: [{ name: 'e', image: 'x' }] },
      ['spec.ephemeralContainers: Forbidden cannot be set on create'],
    ],
  ])('%s', (_, spec, expected) => {
    expect(problemsOf(podKind, pod(spec))).toEqual(expected)
  })
})

describe('an update of a Pod', () => {
  it.each<[string, Raw, Raw]>([
    ['the image', {}, container({ image: 'fairway/web' })],
    ['more tolerations', {}, { tolerations: [{ key: 'a', operator: 'Exists' }] }],
    [
      'how long it is tolerated',
      { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }] },
      { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }] },
    ],
    ['a shorter deadline', { activeDeadlineSeconds: 10 }, { activeDeadlineSeconds: 5 }],
    ['its node, once', {}, { nodeName: 'n1' }],
  ])('may change %s', (_, old, spec) => {
    expect(problemsOf(podKind, pod(spec), pod(old))).toEqual([])
  })

  it.each<[string, Raw, Raw, RegExp]>([
    [
      'a port',
      {},
      container({ ports: [{ containerPort: 80 }] }),
      /^spec: Forbidden pod updates may not change fields other than .*; changed here: spec\.containers$/,
    ],
    ['its node, twice', { nodeName: 'n1' }, { nodeName: 'n2' }, /changed here: spec\.nodeName$/],
    ['its account and host name', {}, { serviceAccountName: 'a', hostname: 'b' }, /changed here: .*spec\.hostname/],
    [
      'the number of containers',
      {},
      { containers: [main, { name: 'b', image: 'x' }] },
      /^spec\.containers: Forbidden pod updates may not add or remove containers$/,
    ],
    [
      'a toleration',
      { tolerations: [{ key: 'a', operator: 'Exists' }] },
      {},
      /^spec\.tolerations: Forbidden existing toleration can not be modified except its tolerationSeconds$/,
    ],
    [
      'a later deadline',
      { activeDeadlineSeconds: 5 },
      { activeDeadlineSeconds: 6 },
      /must be less than or equal to previous value$/,
    ],
    ['no deadline', { activeDeadlineSeconds: 5 }, {}, /must not update from a positive integer to nil value$/],
  ])('may not change %s', (_, old, spec, expected) => {
    const lines = problemsOf(podKind, pod(spec), pod(old))
    expect(lines.some((line) => expected.test(line))).toBe(true)
  })

  it('of the status does not judge the spec again', () => {
    const stored = decoded(podKind, pod({ restartPolicy: 'Sometimes' }))
    expect(podKind.validate({ ...stored, status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] } }, stored)).toEqual([])
    expect(problemLines(podKind.validate({ ...stored, status: { podIPs: [{ ip: 'x' }] } }, stored))).toEqual([
      'status.podIPs[0]: Invalid must be a valid IP address,',
    ])
  })
})

describe('defaults of a Pod', () => {
  const specOf = (spec: Raw) => decoded(podKind, pod(spec)).spec

  it('fill in what kubelets expect', () => {
    expect(specOf({})).toEqual({
      containers: [
        {
          ...main,
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'Always',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
    })
  })

  it.each([
    ['a', 'Always'],
    ['a:latest', 'Always'],
    ['a:1', 'IfNotPresent'],
    ['host:5000/a', 'Always'],
    ['host:5000/a:1', 'IfNotPresent'],
    ['a@sha256:00', 'IfNotPresent'],
  ])('pull %s %s', (image, policy) => {
    expect(specOf(container({ image })).containers[0]?.imagePullPolicy).toBe(policy)
  })

  it('of probes, ports, fields, requests and volumes', () => {
    const spec = specOf({
      hostNetwork: true,
      volumes: [{ name: 'a' }, { name: 'b', configMap: { name: 'x' } }],
      ...container({
        readinessProbe: { httpGet: { port: 80 } },
        ports: [{ containerPort: 80 }],
        env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } },
      }),
    })
    expect(spec.containers[0]).toMatchObject({
      readinessProbe: {
        httpGet: { port: 80, path: '/', scheme: 'HTTP' },
        timeoutSeconds: 1,
        periodSeconds: 10,
        successThreshold: 1,
        failureThreshold: 3,
      },
      ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
      env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
      resources: { requests: { cpu: '100m', memory: '1Gi' } },
    })
    expect(spec.volumes).toEqual([
      { name: 'a', emptyDir: {} },
      { name: 'b', configMap: { name: 'x', defaultMode: 420 } },
    ])
  })

  it('change nothing the second time', () => {
    const once = decoded(podKind, pod({ serviceAccountName: 'a', volumes: [{ name: 'a' }] }))
    expect(podKind.setDefaults(once)).toEqual(once)
  })
})
