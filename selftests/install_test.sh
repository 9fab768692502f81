#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What comes with the iox command: man pages, completion for bash, make install.

set -u

top=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
cd "$top" || exit 1
iox=build/bin/iox
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
number=0 failed=0

# check NAME COMMAND...: is it so? What COMMAND prints says why not.
check()
{
	local name=$1 verdict=ok said
	shift

	number=$((number + 1))
	if ! said=$("$@" 2>&1); then
		verdict='not ok'
		failed=1
		printf '# %s\n' "${said//$'\n'/$'\n# '}"
	fi
	printf '%s %d %s\n' "$verdict" "$number" "$name"
}

# All commands, each as a line of words; the first is empty.
commands()
{
	local name

	echo "$*"
	for name in $("$iox" "$@" --help | sed -n '/^Commands:$/,/^$/s/^  \([a-z][a-z-]*\)  *.*/\1/p'); do
		commands "$@" "$name"
	done
}

# Long options of a command, one a line
options_of()
{
	"$iox" "$@" --help | grep -oE '^ +(-[^ ,-], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

page_of()
{
	local IFS=-

	echo "build/man/iox${*:+-$*}.1"
}

is()
{
	[[ $1 = "$2" ]] || { printf '"%s"\nnot "%s"\n' "$1" "$2"; return 1; }
}

# --- man pages --------------------------------------------------------------------

lint()
{
	! mandoc -Tlint -Wwarning build/man/*.1 | grep .
}

all_pages_are_there()
{
	is "$(for page in build/man/*.1; do echo "$page"; done | sort)" \
		"$(while read -r line; do page_of $line; done <<<"$all" | sort)"
}

pages_have_the_options()
{
	local line

	while read -r line; do
		# shellcheck disable=SC2086
		is "$(mandoc -Tutf8 "$(page_of $line)" | col -b | grep -oE '^     +(-.*)?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u)" \
			"$(options_of $line)" || { echo "in the page of iox $line"; return 1; }
	done <<<"$all"
}

references_lead_somewhere()
{
	local name

	sed -n 's/^\(\.It \)\{0,1\}\.\{0,1\}Xr \([a-z-]*\) 1.*/\2/p' build/man/*.1 | sort -u | while read -r name; do
		[[ -f build/man/$name.1 ]] || { echo "no page $name"; return 1; }
	done
}

# --- completion --------------------------------------------------------------------

# complete WORD...: what the last word can become, in one line
complete_words()
{
	bash -c '. user/completion/iox.bash
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_iox "$1"
		printf "%s\n" "${COMPREPLY[@]}" | sort -u | paste -sd" "' bash "$iox" "$@"
}

completes()
{
	local want=$1
	shift

	is "$(complete_words "$@")" "$want"
}

completes_all_options()
{
	local line

	while read -r line; do
		# shellcheck disable=SC2046,SC2086
		is "$(complete_words $line --)" "$(echo $(options_of $line))" || { echo "of iox $line"; return 1; }
	done <<<"$all"
}

completes_policies()
{
	local status

	"$iox" policy load build/bpf/top_down.bpf.o || return
	completes top_down policy unload to
	status=$?
	"$iox" policy unload top_down || return
	return $status
}

# --- make install ------------------------------------------------------------------

installed()
{
	make -s install-files DESTDIR="$work/dest" PREFIX=/opt && cd "$work/dest/opt" || return
	bin/iox --help >/dev/null && [[ -x bin/iox && -f share/man/man1/iox-stat.1 ]] &&
		[[ -f share/bash-completion/completions/iox && -f lib/iox/policies/top_down.bpf.o ]] || { find .; return 1; }
}

# Out of what is installed, as an author would; Debian's libbpf-dev has what is in build/tools here.
policy_builds()
{
	printf '%s\n' '#include <iox/policy.bpf.h>' 'char LICENSE[] SEC("license") = "GPL";' \
		'SEC("struct_ops/select") u64 BPF_PROG(mine, struct iox_iova_req *req)' \
		'{ return iox_iova_last_gap(req, 0, IOX_IOVA_ANY, 0); }' >"$work/mine.bpf.c"
	clang-19 -target bpf -g -O2 -fms-extensions -Wno-microsoft-anon-tag -Wno-missing-declarations -I"$work/dest/opt/include" \
		-Ibuild/tools/include -isystem build/headers/include -c "$work/mine.bpf.c" -o "$work/mine.bpf.o"
}

uninstalled()
{
	make -s uninstall-files DESTDIR="$work/dest" PREFIX=/opt
	! find "$work/dest" -type f | grep . && [[ ! -e $work/dest/opt/lib/iox && ! -e $work/dest/opt/include/iox ]]
}

echo 'TAP version 13'
all=$(commands)
check man_pages_are_clean lint
check each_command_has_a_page all_pages_are_there
check pages_have_the_options_that_help_has pages_have_the_options
check pages_refer_to_pages references_lead_somewhere

check completes_commands completes "$(echo $("$iox" --help | sed -n '/^Commands:$/,/^$/s/^  \([a-z][a-z-]*\)  *.*/\1/p' | sort))" ''
check completes_a_command completes stat sta
check completes_commands_of_commands completes 'list load' policy l
check completes_an_option completes --interval stat --in
check completes_options_behind_options completes --interval stat --by ioas --in
check completes_all_options completes_all_options
check completes_arguments_of_options completes ioas stat --by i
check completes_arguments_behind_an_equals_sign completes ioas stat --by = i
check completes_files completes user/main.c report -o user/mai
check completes_folders_of_certificates completes user/lib policy load -T user/li
check completes_keys completes user/main.c policy sign --key user/mai
check completes_processes completes $$ lu plan $$
check completes_processes_of_options completes $$ trace --pid $$
check completes_commands_to_run completes setpriv stat -- setpri
check completes_files_of_commands_to_run completes user/main.c stat -- cat user/mai
if [[ -d /sys/kernel/iox ]]; then
	check completes_policies completes_policies
else
	number=$((number + 1))
	echo "ok $number completes_policies # SKIP this kernel has no policies"
fi

check installs_all installed
check policies_build_with_what_is_installed policy_builds
check uninstalls_all uninstalled
echo "1..$number"
exit $failed
