#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's unit tests of IOMMU live update: loads the module that they are, and says what it said.

set -u

readonly module=iommu-liveupdate-test

# The module's own lines of the kernel's log, without all in front, since it was loaded for the last time.
results()
{
	dmesg | sed -n "s/^\[ *[0-9.]*\] $module: //p" | tac | sed '/^1\.\./q' | tac
}

if ! modinfo "$module" >/dev/null 2>&1; then
	echo "1..0 # SKIP the kernel has no unit tests of live update"
	exit 0
fi
modprobe "$module"
status=$?
results
[[ $status -ne 0 ]] || rmmod "$module"
exit "$status"
