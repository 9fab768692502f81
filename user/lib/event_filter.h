/* SPDX-License-Identifier: GPL-2.0 */
/* The options that say which events are wanted, for commands to take in: argp children. */
#ifndef IOX_LIB_EVENT_FILTER_H
#define IOX_LIB_EVENT_FILTER_H

#include <argp.h>

/* input: struct iox_probe_filter */
extern const struct argp event_filter_argp;
/* input: size_t, the bytes for the buffer; 0 if not given */
extern const struct argp event_ring_argp;

#endif
