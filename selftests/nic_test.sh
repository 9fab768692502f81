#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of a network card that goes on receiving though its driver is gone, and of
# the driver that goes on with it: none of the numbered datagrams that the host
# sends is lost, none comes twice. A process that holds the files stands in for a
# kernel that hands them to the next one. What the tests look at would show a
# loss, and some make sure of that.

set -u

nic=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/build/bin/iox-nic
work=$(mktemp -d) || exit 1
keep=$work/keep
number=0 failed=0 bad='' skip='' holder='' driver=''

# Quicker than the host counts: so many datagrams take 3 s at 200 a second.
readonly PAUSE=600

# --- harness -----------------------------------------------------------------

problem()
{
	bad=1
	printf '# %s\n' "$*"
}

# Waits for a file that has something in it, or for the end of process $2.
wait_for()
{
	until [[ -s $1 ]]; do
		kill -0 "$2" 2>/dev/null || return
		sleep 0.05
	done
}

hold()
{
	"$nic" hold "$keep" &
	holder=$!
	until [[ -S $keep ]]; do
		sleep 0.05
	done
}

# start OPTION...: a driver that has left its card with the holder, and receives.
start()
{
	hold
	"$nic" start "$@" "$keep" >"$work/start.out" 2>"$work/start.err" &
	driver=$!
	wait_for "$work/start.out" $driver
	[[ -s $work/start.out ]] || problem "no card is started: $(<"$work/start.err")"
}

# end PROCESS: kills it outright; that is no news.
end()
{
	[[ -z $1 ]] || { kill -KILL "$1"; wait "$1"; } 2>/dev/null
}

kill_driver()
{
	end "$driver"
	driver=''
}

# pause COUNT: until the host has had that many datagrams to send.
pause()
{
	"$nic" wait "$1" 2>"$work/err" || problem "$(<"$work/err")"
}

# Leaves output in $work/out and $work/err, the status in $status.
go_on()
{
	"$nic" go-on "$@" "$keep" >"$work/out" 2>"$work/err"
	status=$?
}

want_success()
{
	[[ $status -eq 0 ]] || problem "go-on ends with $status: $(<"$work/err")"
}

want_failure()
{
	[[ $status -eq 1 ]] || problem "go-on ends with $status, not 1: $(<"$work/out")"
	grep -qE -- "$1" "$work/err" || problem "it does not say '$1': $(<"$work/err")"
}

# How many datagrams go_on found waiting.
waiting()
{
	sed -n 's/.*: the last of \([0-9]*\) that came while.*/\1/p' "$work/out"
}

run_tests()
{
	local test tests=()

	while read -r _ _ test; do
		[[ $test != test_* ]] || tests+=("$test")
	done < <(declare -F)
	printf 'TAP version 13\n1..%d\n' ${#tests[@]}
	for test in "${tests[@]}"; do
		bad='' skip=''
		"$test"
		kill_driver
		end "$holder"
		rm -f "$work"/*
		number=$((number + 1))
		[[ -z $bad ]] || failed=1
		printf '%s %d - %s%s\n' "${bad:+not }ok" $number "${test#test_}" "${skip:+ # SKIP $skip}"
	done
}

# --- the tests ---------------------------------------------------------------

test_a_card_without_a_driver_receives_all()
{
	start
	kill_driver
	pause $PAUSE
	go_on
	want_success
	[[ $(waiting) -ge $((PAUSE - 1)) ]] || problem "only $(waiting) have come meanwhile"
}

# Killed at work: with many frames to deal with it seldom naps.
test_a_driver_may_be_killed_at_any_time()
{
	local delay

	start
	kill_driver
	for delay in 0.02 0.04 0.06 0.08 0.10 0.12 0.14 0.16 0.18 0.20; do
		pause 150
		"$nic" go-on --stay "$keep" >"$work/out" 2>"$work/err" &
		driver=$!
		sleep $delay
		kill_driver
		[[ ! -s $work/err ]] || problem "after $delay s: $(<"$work/err")"
	done
	go_on
	want_success
}

test_the_ring_goes_round()
{
	start --ring 1024 --count 900
	kill_driver
	pause 300
	go_on --count 1500
	want_success
}

# Who goes on after an update makes a new address space, and no frame may meet neither of the two.
test_a_domain_is_replaced_under_a_card()
{
	if [[ ! -d /sys/kernel/iox ]]; then
		skip='this VT-d driver blocks a device while its domain is replaced'
		return
	fi
	start
	kill_driver
	go_on --rebuild 1500
	want_success
}

# Nobody has the card's file open any more, so vfio stops it, and it can be had anew.
test_a_card_that_nobody_holds_stops()
{
	local dropped=0 before

	start
	kill_driver
	end "$holder"
	read -r _ _ before <"$IOX_VM_DATAGRAMS"
	until [[ $dropped -gt $before ]]; do
		sleep 0.1
		read -r _ _ dropped <"$IOX_VM_DATAGRAMS"
	done
	rm -f "$work"/*
	start
	kill_driver
	go_on
	want_success
}

test_the_iommu_had_nothing_to_object_to()
{
	local faults

	faults=$(dmesg | grep -c 'DMAR: .*\(fault\|\[DMA\)')
	[[ $faults -eq 0 ]] || problem "$faults messages about faults"
}

test_too_small_a_ring_is_noticed()
{
	start --ring 128
	kill_driver
	pause $PAUSE
	go_on
	[[ $(waiting) -eq 127 ]] || problem "$(waiting) are in a ring of 128"
	want_failure '[1-9][0-9]* lost, 0 twice'
}

test_a_reset_is_noticed()
{
	start
	kill_driver
	"$nic" reset "$keep" || problem "no reset"
	go_on
	want_failure 'Stale file handle'
}

test_memory_of_another_kind_is_noticed()
{
	local fd

	start
	kill_driver
	fd=$(find "/proc/$holder/fd" -lname '*memfd:e1000e*')
	printf y | dd of="$fd" conv=notrunc status=none
	go_on
	want_failure 'Bad message'
}

trap 'kill_driver; end "$holder"; rm -rf "$work"' EXIT
if [[ -z ${IOX_VM_DATAGRAMS-} ]]; then
	echo '1..0 # SKIP no network card: boot with --datagrams 200'
	exit 0
fi
run_tests
exit $failed
