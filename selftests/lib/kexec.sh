# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What tests over a kexec have in common (docs/testing.md): the first kernels jump, the last one prints TAP.

readonly KEXEC_FAULT='DMAR: .*(fault|\[DMA)'

# bail NAME SAID: this test has failed in a kernel that should not have been the last one.
bail()
{
	printf '%s\n' "$2" | sed 's/^/# /'
	printf 'not ok 1 - in kernel %d: %s\n1..1\n' "$IOX_VM_BOOT" "$1"
	exit 1
}

# await WORD PID: the holder of the session, whose output is in /run/holder, has said this.
await()
{
	until grep -q "^$1" /run/holder; do
		kill -0 "$2" 2>/dev/null || bail 'the devices are preserved' "$(</run/holder)"
		sleep 0.1
	done
}

# jump PROGRAM ARGUMENT...: somebody, who says "left" when all is preserved, holds the session until the kernel ends
# under it.
jump()
{
	"$@" >/run/holder 2>&1 &
	await left $!
	leap
}

# leap: into the next kernel.
leap()
{
	scripts/vm/kexec-load --jump 2>/run/jump
	bail 'the kernel lets go' "$(</run/jump)"
}

# tell PROGRAM ARGUMENT...: its TAP, and one test more: no access of a device was refused but those that the program
# says it has provoked.
tell()
{
	local status number lines provoked allowed='^$'

	"$@" >/run/out 2>&1
	status=$?
	number=$(($(grep -cE '^(not )?ok ' /run/out) + 1))
	grep -v '^1\.\.' /run/out
	provoked=$(sed -n 's/^# provoked: //p' /run/out | sort -u | paste -sd '|')
	[[ -z $provoked ]] || allowed="handling fault|Request device \\[($provoked)\\]"
	if lines=$(dmesg | grep -E "$KEXEC_FAULT" | grep -vE "$allowed"); then
		printf '%s\n' "$lines" | sed 's/^/# /'
		printf 'not '
		status=1
	fi
	printf 'ok %d - no access of a device was refused\n1..%d\n' $number $number
	exit $status
}
