/**
 * The script that completes `fairway` in bash, with nothing but bash. Where no `fairway` is on the PATH (a checkout), it makes one of `program`.
 * What was typed is passed on as words and never evaluated.
 */
export const bashCompletion = (node: string, program: string): string => `# bash completion for fairway
if ! type fairway >/dev/null 2>&1; then
  fairway() { ${quoted(node)} ${quoted(program)} "$@"; }
fi
_fairway_complete() {
  local current=\${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == :* ]] && continue
    line=\${line%%$'\\t'*}
    [[ $line == "$current"* ]] && COMPREPLY+=("$line")
  done < <(${quoted(node)} ${quoted(program)} complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _fairway_complete fairway`

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
