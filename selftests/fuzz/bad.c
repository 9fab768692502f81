// SPDX-License-Identifier: GPL-2.0-only
/* Calls that are wrong whatever there is. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"

#define UNKNOWN_FLAG (1U << 30)

/* A call that has to fail, whatever is mapped */
struct wrong {
	const char *what;
	int err;
	unsigned long request;
	union {
		struct iommu_ioas_alloc alloc;
		struct iommu_ioas_map map;
		struct iommu_ioas_map_file map_file;
		struct iommu_ioas_copy copy;
		struct iommu_ioas_unmap unmap;
		struct iommu_option option;
		struct iommu_ioas_iova_ranges ranges;
		struct iommu_ioas_allow_iovas allow;
		__u8 bytes[128];
	};
};

/* Where an id is 0, an IOAS's is filled in. */
static const struct wrong wrongs[] = {
	{ "ioas alloc with flags", EOPNOTSUPP, IOMMU_IOAS_ALLOC,
	  .alloc = { .size = sizeof(struct iommu_ioas_alloc), .flags = 1 } },
	{ "map with an unknown flag", EOPNOTSUPP, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map),
		   .flags = MAP_RW | UNKNOWN_FLAG, .length = PAGE } },
	{ "map with a reserved field", EOPNOTSUPP, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map), .flags = MAP_RW,
		   .__reserved = 1, .length = PAGE } },
	{ "map for neither reading nor writing", EINVAL, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map), .length = PAGE } },
	{ "map of nothing", EINVAL, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map), .flags = MAP_RW } },
	{ "map past the end of addresses", EOVERFLOW, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map), .flags = MAP_RW,
		   .user_va = -PAGE, .length = 2 * PAGE } },
	{ "map past the end of IOVAs", EOVERFLOW, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map),
		   .flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		   .length = 2 * PAGE, .iova = -PAGE } },
	{ "map to nowhere", ENOENT, IOMMU_IOAS_MAP,
	  .map = { .size = sizeof(struct iommu_ioas_map), .flags = MAP_RW,
		   .ioas_id = NO_ID, .length = PAGE } },
	{ "short map", EINVAL, IOMMU_IOAS_MAP,
	  .map = { .size = 8, .flags = MAP_RW, .length = PAGE } },
	{ "map file without a file", EBADF, IOMMU_IOAS_MAP_FILE,
	  .map_file = { .size = sizeof(struct iommu_ioas_map_file),
			.flags = MAP_RW, .fd = -1, .length = PAGE } },
	{ "copy from nowhere", ENOENT, IOMMU_IOAS_COPY,
	  .copy = { .size = sizeof(struct iommu_ioas_copy), .flags = MAP_RW,
		    .src_ioas_id = NO_ID, .length = PAGE } },
	{ "copy of nothing", EINVAL, IOMMU_IOAS_COPY,
	  .copy = { .size = sizeof(struct iommu_ioas_copy),
		    .flags = MAP_RW } },
	{ "copy past the end of IOVAs", EOVERFLOW, IOMMU_IOAS_COPY,
	  .copy = { .size = sizeof(struct iommu_ioas_copy), .flags = MAP_RW,
		    .length = 2 * PAGE, .src_iova = -PAGE } },
	{ "unmap of nothing", EINVAL, IOMMU_IOAS_UNMAP,
	  .unmap = { .size = sizeof(struct iommu_ioas_unmap), .iova = PAGE } },
	{ "unmap past the end of IOVAs", EOVERFLOW, IOMMU_IOAS_UNMAP,
	  .unmap = { .size = sizeof(struct iommu_ioas_unmap), .iova = PAGE,
		     .length = UINT64_MAX } },
	{ "unmap from nowhere", ENOENT, IOMMU_IOAS_UNMAP,
	  .unmap = { .size = sizeof(struct iommu_ioas_unmap),
		     .ioas_id = NO_ID, .length = PAGE } },
	{ "unknown option", EOPNOTSUPP, IOMMU_OPTION,
	  .option = { .size = sizeof(struct iommu_option), .option_id = 99 } },
	{ "unknown thing to do with an option", EOPNOTSUPP, IOMMU_OPTION,
	  .option = { .size = sizeof(struct iommu_option),
		      .option_id = IOMMU_OPTION_HUGE_PAGES, .op = 9 } },
	{ "ranges of nowhere", ENOENT, IOMMU_IOAS_IOVA_RANGES,
	  .ranges = { .size = sizeof(struct iommu_ioas_iova_ranges),
		      .ioas_id = NO_ID } },
	{ "ranges with a reserved field", EOPNOTSUPP, IOMMU_IOAS_IOVA_RANGES,
	  .ranges = { .size = sizeof(struct iommu_ioas_iova_ranges),
		      .__reserved = 1 } },
	{ "allowing what cannot be read", EFAULT, IOMMU_IOAS_ALLOW_IOVAS,
	  .allow = { .size = sizeof(struct iommu_ioas_allow_iovas),
		     .num_iovas = 1, .allowed_iovas = PAGE } },
};

static void fill_id(struct wrong *wrong, __u32 id)
{
	__u32 *field;

	switch (wrong->request) {
	case IOMMU_IOAS_MAP:
		field = &wrong->map.ioas_id;
		break;
	case IOMMU_IOAS_MAP_FILE:
		field = &wrong->map_file.ioas_id;
		break;
	case IOMMU_IOAS_COPY:
		wrong->copy.dst_ioas_id = id;
		field = &wrong->copy.src_ioas_id;
		break;
	case IOMMU_IOAS_UNMAP:
		field = &wrong->unmap.ioas_id;
		break;
	case IOMMU_IOAS_IOVA_RANGES:
		field = &wrong->ranges.ioas_id;
		break;
	case IOMMU_IOAS_ALLOW_IOVAS:
		field = &wrong->allow.ioas_id;
		break;
	case IOMMU_OPTION:
		field = &wrong->option.object_id;
		break;
	default:
		return;
	}
	if (!*field)
		*field = id;
}

/* The same call, but larger than the kernel knows it */
static void too_large(struct mm *mm, struct ioas *ioas)
{
	struct {
		struct iommu_ioas_unmap cmd;
		__u64 more;
	} large = {
		.cmd = { .size = sizeof(large), .ioas_id = ioas->id,
			 .iova = PAGE, .length = PAGE },
		.more = 1,
	};
	struct world *w = ioas->ctx->w;
	struct answer lawful = {};

	note(w, "unmap with something unknown behind it");
	may_fail(&lawful, E2BIG);
	judge(w, mm_ioctl(mm, ioas->ctx->fd, IOMMU_IOAS_UNMAP, &large,
			  sizeof(large)), &lawful);
}

static void unknown_request(struct mm *mm, struct ioas *ioas)
{
	__u32 size[32] = { sizeof(size) };
	struct world *w = ioas->ctx->w;
	struct answer lawful = {};

	note(w, "unknown request");
	may_fail(&lawful, ENOTTY);
	judge(w, mm_ioctl(mm, ioas->ctx->fd, _IO(IOMMUFD_TYPE, 0x7e), size,
			  sizeof(size)), &lawful);
}

void op_bad(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	unsigned int nr = rnd(w, ARRAY_SIZE(wrongs) + 2);
	struct answer lawful = {};
	struct wrong wrong;
	struct mm *mm;

	mm = ioas ? pick_mm(w, ioas->ctx->holders) : NULL;
	if (!mm)
		return;
	if (nr == ARRAY_SIZE(wrongs)) {
		too_large(mm, ioas);
		return;
	}
	if (nr > ARRAY_SIZE(wrongs)) {
		unknown_request(mm, ioas);
		return;
	}
	wrong = wrongs[nr];
	fill_id(&wrong, ioas->id);
	note(w, "mm %u %s", mm->number, wrong.what);
	may_fail(&lawful, wrong.err);
	judge(w, mm_ioctl(mm, ioas->ctx->fd, wrong.request, wrong.bytes,
			  sizeof(wrong.bytes)), &lawful);
}
