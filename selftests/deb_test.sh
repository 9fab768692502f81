#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages that make deb left in build/deb: what is in them, and that they can be installed, used and purged. For use in
# the VM, whose root they are installed into; skipped where there are none.

set -u

top=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
cd "$top" || exit 1
shopt -s nullglob
packages=(build/deb/*.deb)
kernels=(build/deb/linux-image-iox-*.deb)
number=0 failed=0

if [[ ${#packages[@]} -eq 0 ]]; then
	echo '1..0 # SKIP no packages: make deb builds them'
	exit 0
fi

# Where the kernel's package puts files there are others in use, which are not to be touched.
if [[ -z ${IOX_DEB_TEST-} ]]; then
	IOX_DEB_TEST=1 exec unshare --mount "$top/selftests/${0##*/}"
fi
for dir in /boot /usr/lib/modules; do
	mkdir -p "$dir" && mount -t tmpfs tmpfs "$dir" || exit 1
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

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

# What there is where packages put files of their own, and make them
snapshot()
{
	find /boot /etc/iox /etc/systemd /usr/bin/iox /usr/include/iox /usr/lib/iox /usr/lib/modules /usr/share/man/man1/iox* \
		/usr/share/doc/{iox,linux-image-iox}* /lib/systemd/system/iox-* /var/lib/iox /var/lib/systemd 2>/dev/null | sort
}

# With a database of our own: to read the machine's takes longer than all else here. What they depend on is there.
packager()
{
	dpkg --admindir="$work/dpkg" --force-depends "$@"
}

installed()
{
	mkdir -p "$work/dpkg"/{info,updates} && touch "$work/dpkg"/{status,available} && packager -i "${packages[@]}"
}

# Of the package, not that of the checkout
command_works()
{
	cd / || return
	/usr/bin/iox --help >/dev/null && /usr/bin/iox policy load /usr/lib/iox/policies/top_down.bpf.o &&
		/usr/bin/iox policy unload top_down
}

# Whether they are to run is not the package's to say.
units_are_there_and_off()
{
	local unit

	for unit in iox-exporter.service iox-rollout.service iox-rollout-restore.service iox-policies.target; do
		[[ -f /lib/systemd/system/$unit ]] || { echo "no $unit"; return 1; }
	done
	! grep -H '^ExecStart=' /lib/systemd/system/iox-*.service | grep -v '=/usr/bin/iox ' &&
		! find /etc/systemd -name 'iox-*' | grep .
}

has_pages_and_places()
{
	[[ -f /usr/share/man/man1/iox.1.gz && -f /usr/share/bash-completion/completions/iox ]] || return
	[[ -d /etc/iox/rollouts && -d /etc/iox/trusted.d ]] || return
	[[ -f /usr/share/doc/iox/docs/packaging.md && -f /usr/share/doc/iox/examples/kubernetes/daemonset.yaml ]]
}

# Out of what is installed, and Debian's libbpf-dev has what is in build/tools here.
policy_builds()
{
	printf '%s\n' '#include <iox/policy.bpf.h>' 'char LICENSE[] SEC("license") = "GPL";' \
		'SEC("struct_ops/select") u64 BPF_PROG(mine, struct iox_iova_req *req)' \
		'{ return iox_iova_last_gap(req, 0, IOX_IOVA_ANY, 0); }' >"$work/mine.bpf.c"
	clang-19 -target bpf -g -O2 -fms-extensions -Wno-microsoft-anon-tag -Wno-missing-declarations -I/usr/include \
		-Ibuild/tools/include -isystem build/headers/include -c "$work/mine.bpf.c" -o "$work/mine.bpf.o"
}

# Hooks of the machine's own, and one that tells what it was given
prepare_hooks()
{
	local kind

	for kind in preinst postinst prerm postrm; do
		mkdir -p "/etc/kernel/$kind.d"
		# shellcheck disable=SC2016
		printf '#!/bin/sh\necho "%s $* $INITRD ${DEB_MAINT_PARAMS%%%% *}" >>%s\n' "$kind" "$work/hooks" >"/etc/kernel/$kind.d/zz-test"
		chmod +x "/etc/kernel/$kind.d/zz-test"
	done
}

hooked()
{
	grep -qx "$1 $release /boot/vmlinuz-$release Yes $2" "$work/hooks" || { cat "$work/hooks"; return 1; }
}

kernel_is_whole()
{
	local file

	for file in vmlinuz config System.map; do
		[[ -s /boot/$file-$release ]] || { echo "no /boot/$file-$release"; return 1; }
	done
	grep -q ' startup_64$' "/boot/System.map-$release" && hooked preinst install && hooked postinst configure &&
		[[ $(modinfo -k "$release" -F vermagic iommufd) = "$release "* ]] &&
		modprobe -S "$release" --show-depends vfio-pci | grep -q iommufd.ko
}

purged()
{
	mkdir -p /var/lib/iox/rollouts/r && touch /var/lib/iox/rollouts/r/state.json
	# shellcheck disable=SC2046
	packager --purge $(for package in "${packages[@]}"; do dpkg-deb -f "$package" Package; done) || return
	snapshot >"$work/after"
	! comm -13 "$work/before" "$work/after" | grep . && ! grep -q ^Package "$work/dpkg/status"
}

echo 'TAP version 13'
prepare_hooks
snapshot >"$work/before"
check packages_install installed
check the_command_works command_works
check units_are_there_and_off units_are_there_and_off
check pages_and_places_are_there has_pages_and_places
check policies_build_with_what_is_installed policy_builds
for kernel in ${kernels[@]+"${kernels[@]}"}; do
	release=$(dpkg-deb --fsys-tarfile "$kernel" | tar -t | sed -n 's|^./boot/vmlinuz-||p')
	check "kernel_${release}_is_whole" kernel_is_whole
done
check packages_are_purged purged
for kernel in ${kernels[@]+"${kernels[@]}"}; do
	release=$(dpkg-deb --fsys-tarfile "$kernel" | tar -t | sed -n 's|^./boot/vmlinuz-||p')
	check "hooks_of_kernel_${release}_are_told" hooked postrm remove
done
echo "1..$number"
exit $failed
