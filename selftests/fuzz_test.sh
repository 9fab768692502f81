#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A short run of the fuzzer: some seeds that are always the same, and one that is not. "make fuzz" runs it for longer.

set -u

fuzz=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/build/bin/iox-fuzz || exit 1
number=0 failed=0

# result NAME STATUS OUTPUT: one test; what the fuzzer said is shown if it found something.
result()
{
	local verdict=ok

	number=$((number + 1))
	if [[ $2 -ne 0 ]]; then
		verdict='not ok'
		failed=1
		printf '%s\n' "$3"
	fi
	printf '%s %d %s\n' "$verdict" "$number" "$1"
}

# check NAME OPTION...: the fuzzer finds nothing.
check()
{
	local name=$1 output status
	shift

	output=$("$fuzz" "$@" 2>&1)
	status=$?
	result "$name" $status "$output"
}

echo 'TAP version 13'

if output=$("$fuzz" --rounds 1 --threads 1 --ops 0 2>&1) || [[ $output != *CONFIG_IOMMUFD_TEST* ]]; then
	first=$("$fuzz" --seed 20 --threads 1 --rounds 1 --ops 500 --trace 2>&1 | grep -v 'rounds in')
	again=$("$fuzz" --seed 20 --threads 1 --rounds 1 --ops 500 --trace 2>&1 | grep -v 'rounds in')
	[[ $first == *' op 500 '* && $first == "$again" ]]
	result a_seed_replays $? "$(diff <(echo "$first") <(echo "$again"))"
	check one_thread --seed 1 --threads 1 --seconds 4
	check several_threads --seed 2 --rounds 1 --ops 1500
	seed=$((RANDOM * 32768 + RANDOM))
	check "random_seed_$seed" --seed "$seed" --seconds 5 --ops 1000
else
	echo 'ok 1 fuzz # SKIP this kernel has no CONFIG_IOMMUFD_TEST'
	number=1
fi

echo "1..$number"
exit $failed
