#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# iox doctor: it finds what is missing, and no more; what it says to do about it helps.

set -u

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
iox=${IOX:-$here/../build/bin/iox}
number=0 failed=0

# check NAME COMMAND...: is it so?
check()
{
	local name=$1 verdict=ok
	shift

	number=$((number + 1))
	if ! "$@"; then
		verdict='not ok'
		failed=1
		printf '# status %s and:\n#   | %s\n' "$status" "${output//$'\n'/$'\n#   | '}"
	fi
	printf '%s %d %s\n' "$verdict" "$number" "$name"
}

# doctor [OPTION]... [-- COMMAND...]: sets $output and $status; COMMAND runs it.
doctor()
{
	output=$("${before[@]}" "$iox" doctor "$@" 2>&1)
	status=$?
}

# Names of the checks with this verdict, from the text
named()
{
	sed -n "s/^\([^ ].*[^ ]\)  *$1  *.*/\1/p" <<<"$output"
}

mend_of()
{
	sed -n "s/^$1  *missing .*; //p" <<<"$output"
}

is()
{
	[[ $1 = "$2" ]] || { printf '# "%s", not "%s"\n' "$1" "$2"; return 1; }
}

# What this kernel lacks, found in other ways
lacking()
{
	[[ -d /sys/kernel/iox ]] || echo 'IOVA policies'
	[[ -e /dev/liveupdate ]] || echo 'live update'
}

before=()
echo 'TAP version 13'

modules=$(lsmod | awk '{ print $1 }' | sort)
doctor
check finds_what_this_kernel_lacks is "$(named missing)" "$(lacking)"
check status_tells_whether_something_is_missing [ $status -eq "$([[ -z $(lacking) ]]; echo $?)" ]
check could_look_at_all is "$(named unknown)" ''
check has_loaded_nothing is "$(lsmod | awk '{ print $1 }' | sort)" "$modules"
check counts_them is "${output##*$'\n'}" "$(lacking | wc -l) missing, 0 unknown"
if [[ -e /dev/liveupdate ]]; then
	check sees_live_update grep -q '^live update  *ok  */dev/liveupdate$' <<<"$output"
else
	check says_how_to_switch_live_update_on is "$(mend_of 'live update')" 'boot with liveupdate=on'
fi

wanted=$(sed '$d' <<<"$output" | awk '{ $1 = $1; print }')
doctor --json
check json_says_the_same is "$(python3 -c 'import json, sys
for c in json.load(sys.stdin)["checks"]:
    print(c["check"], c["verdict"], c["what"] + ("; " + c["mend"] if "mend" in c else ""))' <<<"$output")" "$wanted"

umount /sys/fs/bpf
doctor
check sees_that_a_file_system_is_not_there grep -q '^bpffs  *missing  *not on /sys/fs/bpf; ' <<<"$output"
bash -c "$(mend_of bpffs)"
doctor
check what_it_says_to_do_mounts_it grep -q '^bpffs  *ok ' <<<"$output"

modprobe -r vfio-pci
doctor
check sees_that_a_module_is_not_loaded grep -q '^vfio-pci  *missing  *not loaded; ' <<<"$output"
bash -c "$(mend_of vfio-pci)"
doctor
check what_it_says_to_do_loads_it grep -q '^vfio-pci  *ok ' <<<"$output"

before=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all)
doctor
check without_privileges_it_says_so is "$(named missing)" "$(lacking; echo privileges; echo memlock)"
check without_privileges_it_sees_the_rest grep -q '^interrupt remapping  *ok ' <<<"$output"
check without_privileges_it_fails [ $status -eq 1 ]

before=()
doctor more
check of_wrong_usage_ends_with_2 [ $status -eq 2 ]
output=$("$iox" doctor 2>&1 >/dev/full)
status=$?
check that_cannot_be_written_fails is "$status $output" '1 iox doctor: standard output: No space left on device'

echo "1..$number"
exit $failed
