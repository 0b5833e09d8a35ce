/**
 * Kubernetes' `$(NAME)` references: replaced where the variable is known, left as they stand where it isn't; `$$` is a dollar sign.
 */
export const expand = (text: string, variables: ReadonlyMap<string, string>): string =>
  text.replace(/\$\$|\$\(([^()]*)\)/g, (match, name: string | undefined) => {
    if (match === '$$') return '$'
    return (name === undefined ? undefined : variables.get(name)) ?? match
  })
