#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The services in contrib/systemd, under a systemd of their own: what they may and may not do, and what waits for whom.
# For use in the VM; skipped where there is no systemd.

set -u

top=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
cd "$top" || exit 1
iox=/usr/local/bin/iox
policy=/usr/local/lib/iox/policies/top_down.bpf.o
units=/run/systemd/system
number=0 failed=0

if [[ ! -x /lib/systemd/systemd ]]; then
	echo '1..0 # SKIP no systemd'
	exit 0
fi

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

# --- a systemd -------------------------------------------------------------------

# Where the checkout is, a service may see nothing: it may be below /tmp.
install_units()
{
	install -D build/bin/iox "$iox"
	install -D build/bpf/top_down.bpf.o "$policy"
	mkdir -p "$units"
	cp contrib/systemd/* "$units"
	printf '[Unit]\nDefaultDependencies=no\n' >"$units/test.target"
	cat >"$units/needs.service" <<-END
	[Unit]
	Requires=iox-policies.target
	After=iox-policies.target
	[Service]
	Type=oneshot
	ExecStart=/bin/true
	RemainAfterExit=yes
	END
}

# In namespaces of its own, so that it finds itself the first process, and nothing of it stays.
start_systemd()
{
	mkdir -p /sys/fs/cgroup/units
	(
		echo $BASHPID >/sys/fs/cgroup/units/cgroup.procs
		export container=iox
		exec unshare --pid --mount --uts --ipc --cgroup --fork --kill-child sh -c 'mount -t proc proc /proc &&
			exec /lib/systemd/systemd --system --unit=test.target --show-status=0 --log-target=console'
	) >/run/units.log 2>&1 </dev/null &
	until manager=$(pgrep -P $!) && ctl is-active -q test.target 2>/dev/null; do
		kill -0 $! || { cat /run/units.log; return 1; }
		sleep 0.2
	done
}

ctl()
{
	nsenter -t "$manager" -m -p -C systemctl "$@"
}

# instead UNIT TYPE LINE...: the unit runs lines of a shell instead of its own command.
instead()
{
	local unit=$1 type=$2
	shift 2

	printf '%s\n' 'set -e' "$@" >"/run/$unit.sh"
	mkdir -p "$units/$unit.d"
	printf '%s\n' '[Service]' "Type=$type" 'ExecStart=' "ExecStart=/bin/sh /run/$unit.sh" \
		'StandardOutput=append:/run/said' 'StandardError=append:/run/said' >"$units/$unit.d/test.conf"
	ctl daemon-reload
}

# What went wrong with a unit
tell()
{
	ctl status --no-pager "$@"
	cat /run/said /run/units.log
	return 1
}

# --- tests -----------------------------------------------------------------------

no_faults()
{
	! SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$units"/iox-* 2>&1 | grep .
}

exposed_no_more()
{
	systemd-analyze security --offline=true --threshold="$2" "$units/$1.service"
}

nothing_to_restore()
{
	ctl start iox-policies.target && ctl is-active -q iox-rollout-restore || tell iox-rollout-restore
}

failure_keeps_others_away()
{
	instead iox-rollout-restore.service oneshot 'exit 1'
	! ctl start needs.service || return
	! ctl is-active -q iox-policies.target && ! ctl is-active -q needs.service || tell needs.service
	ctl reset-failed
}

# Back to where nothing has been restored, which is nobody's to do otherwise
start_over()
{
	mkdir -p "$units"/iox-{rollout-restore.service,policies.target}.d
	printf '[Unit]\nRefuseManualStop=no\n' |
		tee "$units"/iox-{rollout-restore.service,policies.target}.d/stop.conf >/dev/null
	ctl daemon-reload
	ctl stop iox-policies.target iox-rollout-restore.service
	rm "$units"/iox-*.d/stop.conf
	ctl daemon-reload
}

# With nothing to roll out, it is ready at once, and ends when told.
nothing_to_roll_out()
{
	mkdir -p /etc/iox/rollouts
	ctl start iox-rollout && ctl stop iox-rollout && ! ctl is-failed -q iox-rollout || tell iox-rollout
}

# All that restoring takes is allowed, and what it has put there stays for others to see.
restores()
{
	instead iox-rollout-restore.service oneshot "$iox policy load $policy" 'cp /etc/machine-id /var/lib/iox/it-was-here'
	ctl start needs.service || tell iox-rollout-restore.service || return
	[[ -e /sys/fs/bpf/iox/policy/top_down && -e /var/lib/iox/it-was-here ]]
}

is_before_services()
{
	[[ " $(ctl show -P Before iox-rollout-restore) " = *' sysinit.target '* ]] &&
		[[ " $(ctl show -P After needs.service) " = *' sysinit.target '* ]]
}

cannot_be_stopped()
{
	! ctl stop iox-policies.target && ! ctl restart iox-rollout-restore && ctl is-active -q needs.service
}

# Until it says that it is done
runs_to_its_end()
{
	ctl start iox-rollout || tell iox-rollout || return
	until [[ -e /var/lib/iox/done ]]; do
		ctl is-active -q iox-rollout || tell iox-rollout || return
		sleep 0.2
	done
}

# What a rollout does: replaces a policy, measures, writes down where it is.
rolls_out()
{
	instead iox-rollout.service exec "$iox policy replace top_down $policy" "$iox stat --interval 1 --count 1" \
		'echo 1 >/var/lib/iox/state' "$iox policy unload top_down" 'echo done >/var/lib/iox/done' \
		'exec sleep 1000'
	runs_to_its_end && ctl stop iox-rollout
}

is_kept_from_the_rest()
{
	rm -f /run/said /var/lib/iox/done
	instead iox-rollout.service exec 'tried() { if "$@" 2>/dev/null; then echo "could: $*"; fi; }' \
		'tried touch /etc/iox/mine' 'tried touch /usr/mine' 'tried touch /var/lib/mine' \
		'tried sh -c "echo 1 >/proc/sys/kernel/panic"' 'tried sh -c "echo 0 >/sys/kernel/mm/ksm/run"' \
		'tried mkdir /sys/fs/cgroup/mine' 'tried cat /dev/iommu' 'tried mount -t tmpfs tmpfs /mnt' 'tried modprobe vfio' \
		'tried chown 1 /var/lib/iox/state' 'tried unshare -n true' "tried kill -0 $$" \
		"tried python3 -c 'import socket; socket.socket()'" 'echo done >/var/lib/iox/done' \
		'exec sleep 1000'
	runs_to_its_end && ! grep . /run/said
}

exports()
{
	ctl start iox-exporter || tell iox-exporter
}

modprobe iommufd || exit 1
echo 'TAP version 13'
install_units
: >/run/said
check units_are_clean no_faults
check restore_is_sandboxed exposed_no_more iox-rollout-restore 25
check rollout_is_sandboxed exposed_no_more iox-rollout 25
check exporter_is_sandboxed exposed_no_more iox-exporter 30
start_systemd || exit 1
if "$iox" rollout --help >/dev/null 2>&1; then
	check nothing_to_restore_is_fine nothing_to_restore
	check nothing_to_roll_out_is_fine nothing_to_roll_out
	start_over
fi
check what_requires_policies_does_not_start_without failure_keeps_others_away
check policies_are_restored_in_the_sandbox restores
check services_start_behind_policies is_before_services
check nobody_stops_what_others_require cannot_be_stopped
check a_rollout_can_do_its_work rolls_out
check a_rollout_cannot_do_more is_kept_from_the_rest
check exporter_starts_in_its_sandbox exports
kill "$manager"
echo "1..$number"
exit $failed
