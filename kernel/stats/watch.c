// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether operations of iommufd are watched, and with which clock.
 */
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/iox_op.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/time64.h>
#ifdef CONFIG_X86_TSC
#include <asm/tsc.h>
#endif

DEFINE_STATIC_KEY_FALSE(iox_op_watched);
EXPORT_SYMBOL_FOR_MODULES(iox_op_watched, "iommufd");

DEFINE_STATIC_KEY_FALSE(iox_op_tsc);
EXPORT_SYMBOL_FOR_MODULES(iox_op_tsc, "iommufd");

u64 iox_op_ns_of_clock __read_mostly = 1ULL << 32;
EXPORT_SYMBOL_FOR_MODULES(iox_op_ns_of_clock, "iommufd");

/* Protects the clock against being set twice */
static DEFINE_MUTEX(clock_lock);
static bool clock_set;

/* Once for all: an operation has to be timed with one clock. */
static void set_clock(void)
{
	guard(mutex)(&clock_lock);
	if (clock_set)
		return;
#ifdef CONFIG_X86_TSC
	if (tsc_khz && !check_tsc_unstable()) {
		iox_op_ns_of_clock = div_u64((u64)NSEC_PER_MSEC << 32, tsc_khz);
		static_branch_enable(&iox_op_tsc);
	}
#endif
	clock_set = true;
}

/**
 * iox_op_watch - operations that begin from now on are timed
 *
 * Context: sleeps.
 */
void iox_op_watch(void)
{
	set_clock();
	static_branch_inc(&iox_op_watched);
}
EXPORT_SYMBOL_FOR_MODULES(iox_op_watch, "iommufd");

/** iox_op_unwatch - undo iox_op_watch() */
void iox_op_unwatch(void)
{
	static_branch_dec(&iox_op_watched);
}
EXPORT_SYMBOL_FOR_MODULES(iox_op_unwatch, "iommufd");
