#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of what merges the tests: whatever a program does, the sums are right,
# and no failure gets lost.

set -u

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
number=0 failed=0

# merge SCRIPT: what becomes of a program that is this script, and the status.
merge()
{
	# shellcheck disable=SC2016
	output=$(bash -c '. "$1/lib/tap.sh"; tap_begin; tap_run "p: " bash -c "$2"; tap_end' bash "$here" "$1")
	status=$?
	sums=${output##*$'\n'}
}

# check NAME SUMS STATUS [LINE]: the last merge gave these, and has this line.
check()
{
	local verdict=ok

	number=$((number + 1))
	if [[ $sums != "$2" || $status -ne $3 || ${4+set} && $'\n'$output$'\n' != *$'\n'"$4"$'\n'* ]]; then
		verdict='not ok'
		failed=1
		printf '# expected "%s", status %s, line "%s"; got status %s and:\n' "$2" "$3" "${4-}" "$status"
		printf '#   | %s\n' "${output//$'\n'/$'\n#   | '}"
	fi
	printf '%s %d %s\n' "$verdict" "$number" "$1"
}

echo 'TAP version 13'

merge 'echo TAP version 13; echo 1..2; echo "ok 1 a"; echo "ok 2 b"'
check passes_are_counted '2 passed, 0 failed' 0 'ok 2 p: b'

merge 'echo 1..2; echo "ok 1 a"; echo "not ok 2 b"; exit 1'
check failures_are_counted '1 passed, 1 failed' 1 'not ok 2 p: b'

merge 'echo 1..1; echo "# why not"; echo "not ok 1 b"; exit 1'
check failures_say_why '0 passed, 1 failed' 1 '# why not'

merge 'echo 1..1; echo "# chatter"; echo "ok 1 b"'
check passes_say_nothing '1 passed, 0 failed' 0
[[ $output != *chatter* ]] || { sums=chatter; check passes_are_silent '' 0; }

merge 'echo 1..2; echo "ok 1 a # SKIP no device"; echo "ok 2 b"'
check skips_are_counted_apart '1 passed, 0 failed, 1 skipped' 0 'ok 1 p: a # SKIP no device'

merge 'exit 0'
check silence_is_a_failure '0 passed, 1 failed' 1

merge 'echo TAP version 13; echo 1..3; echo "ok 1 a"; kill -9 $$'
check death_is_a_failure '1 passed, 1 failed' 1 'not ok 2 p ended after 1 of 3 tests (status 137)'

merge 'echo 1..1; echo "ok 1 a"; echo "ok 2 b"'
check more_than_planned_is_a_failure '2 passed, 1 failed' 1

merge 'echo 1..1; echo "ok 1 a"; exit 3'
check bad_status_is_a_failure '1 passed, 1 failed' 1 'not ok 2 p exits with status 3'

merge 'echo "ok 1 a"; echo 1..1'
check plan_may_come_last '1 passed, 0 failed' 0

merge 'echo 1..0'
check empty_plan_is_a_skip '0 passed, 0 failed, 1 skipped' 0

merge 'echo 1..1; printf "ok 1 a"'
check last_line_may_lack_its_end '1 passed, 0 failed' 0

# shellcheck disable=SC2016
output=$(bash -c '. "$1/lib/tap.sh"; tap_begin; tap_end' bash "$here")
status=$?
sums=${output##*$'\n'}
check no_test_at_all_is_a_failure '0 passed, 0 failed' 1

echo "1..$number"
exit $failed
