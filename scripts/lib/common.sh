# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every script here shares: messages, the cache directory, locks.

IOX_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
IOX_CACHE=${IOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iox}
IOX_JOBS=${IOX_JOBS:-$(nproc)}

# depmod lives where Debian does not let its users look.
PATH=$PATH:/usr/sbin:/sbin

# What a make above has to say to its own makes is nothing to the kernel's.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

say()
{
	printf 'iox: %s\n' "$*" >&2
}

fail()
{
	printf 'iox: error: %s\n' "$*" >&2
	exit 1
}

usage_error()
{
	printf 'iox: error: %s\n' "$*" >&2
	exit 2
}

# Linux's makefiles split paths at blanks and colons.
cache_init()
{
	case $IOX_CACHE in
	/*) ;;
	*) fail "the cache directory must be an absolute path, not '$IOX_CACHE': set IOX_CACHE" ;;
	esac
	case $IOX_CACHE in
	*[[:space:]:]*) fail "the cache directory '$IOX_CACHE' has a blank or a colon in its name: set IOX_CACHE to another" ;;
	esac
	mkdir -p "$IOX_CACHE" 2>/dev/null ||
		fail "cannot create the cache directory $IOX_CACHE: set IOX_CACHE to a place you may write to"
	[ -w "$IOX_CACHE" ] ||
		fail "cannot write to the cache directory $IOX_CACHE: set IOX_CACHE to a place you may write to"
}

# need_space GIB WHAT: the cache's file system must have that much room.
need_space()
{
	local free

	free=$(($(df -Pk "$IOX_CACHE" | awk 'NR == 2 { print $4 }') / 1024 / 1024))
	[ "$free" -ge "$1" ] ||
		fail "$2 needs $1 GiB free, $IOX_CACHE has $free: free some, or set IOX_CACHE to a larger disk"
}

# need_tools TOOL...: they are all there, or one line that says how to get them.
need_tools()
{
	local tool missing=()

	for tool; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[ ${#missing[@]} -eq 0 ] || fail "not installed: ${missing[*]}; run scripts/setup"
}

# take_lock NAME WHAT: hold the cache's lock NAME until this shell ends.
take_lock()
{
	local fd

	exec {fd}>"$IOX_CACHE/lock.$1"
	flock -n "$fd" && return
	say "waiting for another $2 to finish"
	flock "$fd"
}

# A duration in seconds, for people.
minutes()
{
	if [ "$1" -lt 90 ]; then
		printf '%d s' "$1"
	else
		printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
	fi
}

# progress WHAT COUNT ESTIMATE SECONDS: one line of it.
progress()
{
	if [ "$3" -gt 0 ] && [ "$2" -ge "$3" ]; then
		say "$1: linking, $(minutes "$4") so far"
	elif [ "$2" -ge 50 ] && [ "$3" -gt 0 ]; then
		say "$1: $2 of about $3 objects, about $(minutes $(($4 * ($3 - $2) / $2))) left"
	elif [ "$2" -gt 0 ]; then
		say "$1: $2 objects, $(minutes "$4") so far"
	else
		say "$1: $(minutes "$4") so far"
	fi
}

# run_logged WHAT LOG ESTIMATE COMMAND...: run COMMAND with its output in LOG; on stderr what runs, how many of
# about ESTIMATE objects are done (0: not known) and about how long it still takes.
run_logged()
{
	local what=$1 log=$2 estimate=$3 line count=0 next=10 start=$SECONDS elapsed status
	shift 3

	: >"$log"
	{
		"$@" 2>&1
		echo "exit-status:$?"
	} | {
		while IFS= read -r line; do
			case $line in
			exit-status:*)
				status=${line#exit-status:}
				continue
				;;
			'  CC'*|'  AS'*|'  HOSTCC'*|'  CLNG'*|'  CLANG'*) count=$((count + 1)) ;;
			esac
			printf '%s\n' "$line" >>"$log"
			elapsed=$((SECONDS - start))
			[ "$elapsed" -ge "$next" ] || continue
			next=$((elapsed + 15))
			progress "$what" "$count" "$estimate" "$elapsed"
		done
		return "${status:-1}"
	}
}

# show_errors LOG: the part of a build log that says what went wrong, on stderr.
show_errors()
{
	local lines

	lines=$(grep -E '(^|[ :])([Ee]rror|ERROR|undefined reference|warning|FAILED)[: ]' "$1" | grep -vE '^make(\[[0-9]+\])?: ' |
		head -n 30) || lines=$(tail -n 10 "$1")
	printf '%s\n' "$lines" >&2
}
