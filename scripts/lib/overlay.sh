# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Lays kernel/ over a Linux tree. Staging computes the wanted files in an empty directory; syncing brings a build tree
# to that state, and back to the base tree's wherever the overlay no longer reaches.

# Folder in kernel/ and its place in the Linux tree.
readonly overlay_places="
iommufd drivers/iommu/iommufd
policy drivers/iommu/iox
liveupdate drivers/iommu/liveupdate
stats drivers/iommu/stats
vfio drivers/vfio
include include
"
# Folders that are ours alone: every compiler warning in them is an error.
readonly overlay_own="drivers/iommu/iommufd drivers/iommu/iox drivers/iommu/liveupdate drivers/iommu/stats"
# Files of drivers/iommu/iommufd that stay the base tree's.
readonly overlay_kept="iova_bitmap.c iommufd_test.h"

# overlay_patch PATCH BASE STAGE: apply one patch to copies of the base tree's files in STAGE.
overlay_patch()
{
	local patch=$1 base=$2 stage=$3 file said

	sed -n -e 's|^--- a/||p' -e 's|^+++ b/||p' "$patch" | cut -f1 | sort -u |
		while IFS= read -r file; do
			[ ! -f "$stage/$file" ] && [ -f "$base/$file" ] || continue
			mkdir -p "$stage/$(dirname "$file")"
			cp "$base/$file" "$stage/$file"
		done
	said=$(patch -d "$stage" -p1 -F0 -f -N --no-backup-if-mismatch <"$patch" 2>&1) || {
		printf '%s\n' "$said" >&2
		fail "kernel/patches/$(basename "$patch") does not apply to this Linux: refresh it, or take the Linux that the README names"
	}
}

# overlay_stage KERNEL BASE STAGE: all files that differ from the base tree; in STAGE.gone the names of those removed.
overlay_stage()
{
	local kernel=$1 base=$2 stage=$3 name place file patch

	: >"$stage.gone"
	if [ -f "$kernel/patches/series" ]; then
		while IFS= read -r patch; do
			[ -n "$patch" ] && [ "${patch#\#}" = "$patch" ] || continue
			[ -f "$kernel/patches/$patch" ] || fail "kernel/patches/series names $patch, which is not there"
			overlay_patch "$kernel/patches/$patch" "$base" "$stage"
		done <"$kernel/patches/series"
	fi
	while read -r name place; do
		[ -n "$name" ] && [ -d "$kernel/$name" ] || continue
		mkdir -p "$stage/$place"
		cp -r "$kernel/$name/." "$stage/$place/"
	done <<<"$overlay_places"
	for place in $overlay_own; do
		[ ! -f "$stage/$place/Makefile" ] || echo 'subdir-ccflags-y += -Werror' >>"$stage/$place/Makefile"
	done
	[ -d "$kernel/iommufd" ] || return 0
	for file in "$base"/drivers/iommu/iommufd/*; do
		file=${file##*/}
		case " $overlay_kept " in
		*" $file "*) continue ;;
		esac
		[ -f "$stage/drivers/iommu/iommufd/$file" ] || echo "drivers/iommu/iommufd/$file" >>"$stage.gone"
	done
}

# overlay_put FROM TO: like cp, but no write into a file that may have other names, and none where nothing changes.
overlay_put()
{
	cmp -s "$1" "$2" && return
	mkdir -p "$(dirname "$2")"
	cp "$1" "$2.iox-new"
	mv -f "$2.iox-new" "$2"
	changed=1
}

# overlay_sync STAGE BASE TREE: prints "same" when TREE already was as wanted, else "changed".
overlay_sync()
{
	local stage=$1 base=$2 tree=$3 file changed='' touched=$3/.iox-overlay

	touch "$stage.gone" "$touched"
	(cd "$stage" && find . -type f -printf '%P\n') | sort >"$stage.files"
	sort -u "$touched" "$stage.files" "$stage.gone" >"$stage.touched"
	# Written first: a sync that is cut short must still be undone by the next.
	cp "$stage.touched" "$touched"
	while IFS= read -r file; do
		if [ -f "$stage/$file" ]; then
			overlay_put "$stage/$file" "$tree/$file"
		elif ! grep -qxF "$file" "$stage.gone" && [ -f "$base/$file" ]; then
			overlay_put "$base/$file" "$tree/$file"
		elif [ -f "$tree/$file" ]; then
			rm -f "$tree/$file"
			changed=1
		fi
	done <"$stage.touched"
	cat "$stage.files" "$stage.gone" >"$touched"
	[ -n "$changed" ] && echo changed || echo same
}
