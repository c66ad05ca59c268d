# To be sourced by bash or zsh (`. scripts/mig.sh`): the command mig, the alias mr for a program that is to be
# migratable (`mr ./prog`), and completion.

if [ -n "${ZSH_VERSION:-}" ]; then
  _mig_here=${${(%):-%x}:A:h}
else
  _mig_here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
fi

_mig_command=$(command -v mig || true)
if [ -x "$_mig_here/../build/tools/mig" ]; then
  _mig_command=$_mig_here/../build/tools/mig
  alias mig="$_mig_command"
fi
if [ -x "$_mig_here/migrun" ]; then
  alias migrun="$_mig_here/migrun"
  alias mr="$_mig_here/migrun"
else
  alias mr=migrun
fi

if [ -n "$_mig_command" ]; then
  if [ -n "${ZSH_VERSION:-}" ]; then
    if whence compdef >/dev/null; then
      eval "$("$_mig_command" generate completion zsh | sed '$d')"  # the last line calls it, as in a file of its own
      compdef _mig mig
    fi
  else
    eval "$("$_mig_command" generate completion bash)"
  fi
fi
unset _mig_here _mig_command
