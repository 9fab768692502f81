#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of the simulation of a fleet (make sim), on few hosts: guards stop bad policies in the
# first stages, and only guards do.

set -u

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
sim=$here/../build/bin/iox-sim
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
number=0 failed=0

# check NAME STATUS: 0 is a pass.
check()
{
	local verdict=ok

	number=$((number + 1))
	if [[ $2 -ne 0 ]]; then
		verdict='not ok'
		failed=1
	fi
	printf '%s %d %s\n' "$verdict" "$number" "$1"
}

# simulate NAME OPTION...: the figures are in $work/NAME then.
simulate()
{
	local name=$1
	shift

	"$sim" --hosts 300 --bake 1 --tsv "$work/$name" "$@" >"$work/$name.md" || echo "# iox-sim exits with status $?"
}

# Columns: policy plan spaces bake hosts reached harmed rolled_back spaces_all spaces_reached harm_hours hours stage end
# count NAME CONDITION: how many lines of the figures
count()
{
	awk -F'\t' "NR > 1 && ($2)" "$work/$1" | wc -l
}

# everywhere NAME FILTER CONDITION: there are lines that FILTER selects, and all are so.
everywhere()
{
	local selected good

	selected=$(count "$1" "$2")
	good=$(count "$1" "($2) && ($3)")
	[[ $selected -gt 0 && $good -eq $selected ]] && return
	echo "# $good of $selected lines with $2 have $3:"
	awk -F'\t' "NR > 1 && ($2) && !($3)" "$work/$1" | sed 's/^/# | /'
	return 1
}

echo 'TAP version 13'

# Those that are bad at once and everywhere
# shellcheck disable=SC2016
{
	bad='$1 ~ /^(slow-3|slow-20|wrong-5%|wrong|enospc)$/'
	staged='$2 != "100"'
	soon='$14 == "held" && $13 <= 2 && $6 < $5 / 10'
	everybody='$6 > $5 * 0.85'
	good='$1 == "good"'
	complete='$14 == "complete"'
}

simulate first --seed 1
everywhere first "$bad && $staged" "$soon"
check bad_policies_are_held_in_the_first_stages $?
everywhere first "$bad && !($staged)" "$everybody"
check without_stages_they_reach_everybody $?
everywhere first "$good" "$complete"
check good_policy_is_complete $?
[[ $(grep -c '^| ' "$work/first.md") -eq $((4 * 7 + 7)) ]]
check tables_have_all_plans $?

for name in once again; do
	simulate $name --seed 1 --hosts 50
done
cmp "$work/once" "$work/again" && cmp "$work/once.md" "$work/again.md"
check same_seed_gives_same_figures $?
simulate other --seed 2 --hosts 50
! cmp -s "$work/once" "$work/other"
check other_seed_gives_others $?

# The kernel's ejection of a policy that is always wrong needs no guard.
simulate unguarded --seed 1 --no-guards
everywhere unguarded "$bad && \$1 != \"wrong\"" "$everybody && $complete"
check without_guards_bad_policies_reach_everybody $?
everywhere unguarded "\$1 == \"wrong\" && $staged" "$soon"
check without_guards_the_kernel_ejects_what_is_always_wrong $?

for options in --hosts=0 --seed=x --bake=2 --limit=-1 --unknown extra; do
	"$sim" "$options" >"$work/out" 2>"$work/err"
	[[ $? -eq 2 && ! -s $work/out && $(wc -l <"$work/err") -ge 1 ]]
	check "wrong usage: $options" $?
done

echo "1..$number"
exit $failed
