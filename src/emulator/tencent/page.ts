import type { GroupView, ListenerView, LoadBalancerView, View } from './view.ts'

/** The page of `GET /_emulator/`: tables, without scripts; everything that a client chose is escaped. */
export const renderPage = (view: View): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Load balancers of ${escaped(view.region)}</title><style>${STYLE}</style></head><body>
<h1>Load balancers of ${escaped(view.region)}</h1>
<p>${view.loadBalancers.length} load balancers, ${view.tasks.running} tasks at work, ${view.tasks.failed} failed, ${view.faults} faults asked for.</p>
${view.loadBalancers.map(loadBalancerSection).join('\n')}
</body></html>
`

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222}h2{font-size:1.1rem;margin:2rem 0 .3rem}table{border-collapse:collapse;margin:.5rem 0}
th,td{border:1px solid #ccc;padding:.2rem .6rem;text-align:left;vertical-align:top}th{background:#f4f4f4}.Alive{color:#060}.Dead{color:#a00;font-weight:bold}.tag{color:#555}`

const loadBalancerSection = (one: LoadBalancerView): string => `<h2>${escaped(one.id)} ${escaped(one.name)}</h2>
<p>${one.type === 'OPEN' ? 'public' : 'internal'}, ${escaped(one.vip)}${one.domain === undefined ? '' : ` (${escaped(one.domain)})`}, ${one.isReady ? 'ready' : 'being created'}${one.deleteProtect ? ', protected from deletion' : ''}
<br><span class="tag">${Object.entries(one.tags)
  .map(([key, value]) => escaped(`${key}=${value}`))
  .join(', ')}</span></p>
${one.listeners.length === 0 ? '<p>no listener</p>' : `<table><tr><th>listener</th><th>port</th><th>listens on</th><th>rule</th><th>target</th><th>weight</th><th>health</th></tr>${one.listeners.map(listenerRows).join('')}</table>`}`

const listenerRows = (listener: ListenerView): string => {
  const head = `<td>${escaped(listener.name)}<br>${escaped(listener.id)}</td><td>${escaped(listener.protocol)} ${listener.port}</td><td>${escaped(listener.listening)}</td>`
  const groups = listener.groups.length === 0 ? ['<td></td><td></td><td></td><td></td>'] : listener.groups.flatMap(groupCells)
  return groups.map((cells) => `<tr>${head}${cells}</tr>`).join('')
}

const groupCells = (group: GroupView): readonly string[] => {
  const rule = `<td>${escaped(group.rule)}${group.redirectsTo === '' ? '' : ` → ${escaped(group.redirectsTo)}`} ${escaped(group.scheduler)}</td>`
  if (group.targets.length === 0) return [`${rule}<td>none</td><td></td><td></td>`]
  return group.targets.map(
    ({ at, instance, weight, health }) =>
      `${rule}<td>${escaped(at)} ${escaped(instance)}</td><td>${weight}</td><td class="${escaped(health)}">${escaped(health)}</td>`,
  )
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
