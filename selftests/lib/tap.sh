# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Merges the TAP streams of several programs into one, and counts.
#
#	tap_begin; tap_run PREFIX COMMAND...; tap_result ok NAME; ...; tap_end
#
# Of a test that passes one line stays, of one that fails all it said as well.

tap_number=0 tap_passed=0 tap_failed=0 tap_skipped=0
tap_failures=()

tap_begin()
{
	printf 'TAP version 13\n'
}

# tap_result ok|not-ok NAME [DIRECTIVE]: one line of the merged stream.
tap_result()
{
	local verdict=$1 name=$2 directive=${3-}

	tap_number=$((tap_number + 1))
	if [[ $verdict != ok ]]; then
		tap_failed=$((tap_failed + 1))
		tap_failures+=("$name")
		verdict='not ok'
	elif [[ ${directive^^} == SKIP* ]]; then
		tap_skipped=$((tap_skipped + 1))
	else
		tap_passed=$((tap_passed + 1))
	fi
	printf '%s %d %s%s\n' "$verdict" "$tap_number" "$name" "${directive:+ # $directive}"
}

# tap_note LINE...: comments of the merged stream.
tap_note()
{
	local line

	for line; do
		printf '# %s\n' "${line#\# }"
	done
}

# What a failed test said, without the harness's own chatter.
tap_show()
{
	local line

	for line; do
		case $line in
		'' | '#  RUN '* | '#            OK '* | '# Starting '* | 'TAP version '*) ;;
		*) tap_note "$line" ;;
		esac
	done
}

# tap_run PREFIX COMMAND...: runs it and merges its stream. A program that dies, exits with an error though no test
# failed, or has other than as many results as it planned, is a failure of its own.
tap_run()
{
	local prefix=$1 line plan='' seen=0 bad=0 status=1 said=() name verdict
	local result='^(not )?ok +[0-9]+ *(- )?(.*)$'
	shift

	while IFS= read -r line; do
		if [[ $line =~ $result ]]; then
			name=${BASH_REMATCH[3]%% # *}
			verdict=ok
			seen=$((seen + 1))
			if [[ -n ${BASH_REMATCH[1]} ]]; then
				verdict=not-ok
				bad=1
				tap_show ${said[@]+"${said[@]}"}
			fi
			line=${BASH_REMATCH[3]#"$name"}
			tap_result "$verdict" "$prefix$name" "${line# # }"
			said=()
		elif [[ $line =~ ^1\.\.([0-9]+) ]]; then
			plan=${BASH_REMATCH[1]}
		elif [[ $line =~ ^#\ [^\ ]+\ took\ [0-9]+\ s$ ]]; then
			tap_note "$line"
		elif [[ $line =~ ^tap_run:\ status\ ([0-9]+)$ ]]; then
			status=${BASH_REMATCH[1]}
		else
			said+=("$line")
		fi
	done < <("$@" 2>&1; printf '\ntap_run: status %d\n' $?)

	name=${prefix%: }
	if [[ -z $plan ]]; then
		tap_show ${said[@]+"${said[@]}"}
		tap_result not-ok "${name:-$*} ended without a plan (status $status, $seen results)"
	elif [[ $seen -ne $plan ]]; then
		tap_show ${said[@]+"${said[@]}"}
		tap_result not-ok "${name:-$*} ended after $seen of $plan tests (status $status)"
	elif [[ $status -ne 0 && $bad -eq 0 && $plan -gt 0 ]]; then
		tap_show ${said[@]+"${said[@]}"}
		tap_result not-ok "${name:-$*} exits with status $status"
	elif [[ $plan -eq 0 ]]; then
		tap_result ok "${name:-$*}" 'SKIP it has no tests to run here'
	fi
}

# Plan, failures and the line with the sums. Fails if a test has, or if there was none.
tap_end()
{
	printf '1..%d\n' "$tap_number"
	if [[ $tap_failed -gt 0 ]]; then
		tap_note 'failed:' "${tap_failures[@]/#/    }"
	fi
	printf '%d passed, %d failed' "$tap_passed" "$tap_failed"
	[[ $tap_skipped -eq 0 ]] || printf ', %d skipped' "$tap_skipped"
	printf '\n'
	[[ $tap_failed -eq 0 && $tap_number -gt 0 ]]
}
