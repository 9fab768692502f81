# SPDX-License-Identifier: GPL-2.0-only
# Completion of iox for bash. Commands and options are what --help says, policies what the kernel has.

# Commands and options of "iox WORDS"
_iox_help()
{
	"${1/#\~/$HOME}" "${@:2}" --help 2>/dev/null
}

_iox_commands()
{
	_iox_help "$@" | sed -n '/^Commands:$/,/^$/s/^  \([a-z][a-z-]*\)  *.*/\1/p'
}

_iox_options()
{
	_iox_help "$@" | sed -n 's/^  *\(-[^ ,-], \)\{0,1\}\(--[a-z-]*\).*/\2/p; s/^  \(-[^ ,-]\), --.*/\1/p'
}

# Does this option have an argument that is a word of its own?
_iox_has_argument()
{
	case $1 in
	--*=*) return 1 ;;
	--*) _iox_help "${@:2}" | grep -q -- " $1=" ;;
	-?) _iox_help "${@:2}" | grep -q -- "^  $1, --[a-z-]*=" ;;
	*) return 1 ;;
	esac
}

_iox_policies()
{
	cat /sys/kernel/iox/{iova,admit}_policies/*/name 2>/dev/null
}

_iox_rollouts()
{
	ls /var/lib/iox/rollouts 2>/dev/null
}

# What can stand for an argument: of option $1, or, if that is empty, of the command
_iox_arguments()
{
	local option=$1 command=$2

	case "$command:$option" in
	stat:--by | stat:-b) compgen -W 'process ioas cgroup op backing' -- "$current" ;;
	*:--cgroup | policy\ load:-c) compgen -o dirnames -- "${current:-/sys/fs/cgroup/}" ;;
	*:--trust | policy\ load:-T | policy\ replace:-T | policy\ verify:-T) compgen -o dirnames -- "$current" ;;
	*:--cert | *:--key | *:--signature | policy\ sign:-[ck] | policy\ *:-g) compgen -f -- "$current" ;;
	*:--output | *:-o | *:--perfetto) compgen -f -- "$current" ;;
	policy\ get: | policy\ set: | policy\ show: | policy\ unload: | policy\ replace:) compgen -W "$(_iox_policies)" -- "$current"
		[[ $command != *replace ]] || compgen -f -- "$current" ;;
	rollout\ status: | rollout\ forget:) compgen -W "$(_iox_rollouts)" -- "$current" ;;
	rollout\ run: | *:--state | *:--rollouts) compgen -o dirnames -- "$current" ;;
	lu\ plan: | *:--pid) compgen -W "$(cd /proc && echo [1-9]*)" -- "$current" ;;
	*:-*) ;;
	*) compgen -f -- "$current" ;;
	esac
}

_iox()
{
	local current=${COMP_WORDS[COMP_CWORD]} words=() word option='' commands i

	COMPREPLY=()
	# "--by=io" comes as three words.
	[[ $current != '=' ]] || current=
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word = -- ]]; then
			mapfile -t COMPREPLY < <(if ((i + 1 == COMP_CWORD)); then compgen -c -- "$current"; else compgen -f -- "$current"; fi)
			return
		elif [[ $word = '=' ]]; then
			continue
		elif [[ -n $option ]]; then
			option=
		elif [[ $word = -* ]]; then
			! _iox_has_argument "$word" "$1" "${words[@]}" || option=$word
		elif [[ ${#words[@]} -lt 2 && $'\n'$(_iox_commands "$1" "${words[@]}")$'\n' = *$'\n'$word$'\n'* ]]; then
			words+=("$word")
		fi
	done
	if [[ -n $option ]]; then
		mapfile -t COMPREPLY < <(_iox_arguments "$option" "${words[*]}")
	elif [[ $current = -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_iox_options "$1" "${words[@]}")" -- "$current")
	else
		commands=$(_iox_commands "$1" "${words[@]}")
		mapfile -t COMPREPLY < <(if [[ -n $commands ]]; then compgen -W "$commands" -- "$current"; else _iox_arguments '' "${words[*]}"; fi)
	fi
}

complete -o filenames -F _iox iox
