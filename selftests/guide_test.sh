#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# docs/writing-a-policy.md, as somebody who follows it: files that it shows are written, commands are typed, and what it says
# that they print has to be printed. Numbers, with their units, may differ.

set -u

cd "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
guide=docs/writing-a-policy.md
# A home of its own, but not another cache.
export IOX_CACHE=${IOX_CACHE:-$HOME/.cache/iox}
HOME=$(mktemp -d)
mkdir "$HOME/mine"

if [[ ! -d /sys/kernel/iox ]]; then
	echo "1..0 # SKIP Linux's own iommufd knows no policies"
	exit 0
fi

# write_files: each block of C is the file that the last name before it says.
write_files()
{
	awk -v home="$HOME" '
		/^`~\/[a-z/]*\.bpf\.c`:$/ { file = home substr($0, 3, length($0) - 4) }
		/^```/ { inside = $0 == "```c" && file; next }
		inside { print > file }' "$guide"
}

# Lines that begin with "# " in blocks without a language, each with its output up to the next one.
list_commands()
{
	awk '/^```/ { shown = !block && $0 == "```"; block = !block; if (!block) print "."; next }
		shown' "$guide"
}

plain()
{
	sed -E 's/0x[0-9a-f]+/N/g; s/[0-9]+(\.[0-9]+)?( (ns|us|ms|s|[KMGTPE]iB)\b)?/N/g; s/ +/ /g; s/ $//'
}

# What make left of an earlier home.
forget()
{
	rm -f build/bpf/{high,quota}.{bpf.o,d}
}

number=0

# check COMMAND WANTED GOT STATUS
check()
{
	local line rest verdict=ok

	number=$((number + 1))
	rest=$(plain <<<"$3")
	[[ $4 -eq 0 ]] || verdict='not ok'
	while IFS= read -r line; do
		[[ -n $line ]] || continue
		if ! grep -qxF -- "$line" <<<"$rest"; then
			verdict='not ok'
			printf '# not printed: %s\n' "$line"
		fi
	done < <(plain <<<"$2")
	[[ $verdict = ok ]] || sed 's/^/# /' <<<"$3"
	printf '%s %d - %s\n' "$verdict" "$number" "$1"
}

# In this shell, as an export has to last.
run_command()
{
	eval "$1" >"$HOME/out" 2>&1
	status=$?
	check "$1" "$2" "$(<"$HOME/out")" $status
}

echo 'TAP version 13'
forget
write_files
command='' wanted=''
while IFS= read -r -u 3 line; do
	case $line in
	'# '*)
		[[ -z $command ]] || run_command "$command" "$wanted"
		command=${line#\# } wanted=''
		;;
	.)
		[[ -z $command ]] || run_command "$command" "$wanted"
		command='' wanted=''
		;;
	*) wanted+=$line$'\n' ;;
	esac
done 3< <(list_commands)
forget
rm -rf "$HOME"
echo "1..$number"
