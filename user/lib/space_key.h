/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which IOAS an event is about. Ids are used again when an IOAS is gone, and so are the addresses
 * that contexts of Linux's own iommufd go by.
 */
#ifndef IOX_LIB_SPACE_KEY_H
#define IOX_LIB_SPACE_KEY_H

#include <stdbool.h>
#include <iox/probe.h>

struct space_key {
	__u64 space_id;		/* no other IOAS has it; 0: this iommufd does not tell */
	__u64 ctx_id;
	__u32 ioas_id;
	__u32 tgid;		/* who did something with it last */
	bool gone;
};

/*
 * Of an IOAS that ends, Linux's own iommufd does not tell the context: asked from the newest space on,
 * it is the first one that it can be of this process.
 */
static inline bool space_key_is(const struct space_key *s, const struct iox_event *e)
{
	if (s->space_id || e->space_id)
		return s->space_id == e->space_id;
	return !s->gone && s->ioas_id == e->ioas_id &&
	       (e->ctx_id ? s->ctx_id == e->ctx_id : s->tgid == e->tgid);
}

static inline struct space_key space_key_of(const struct iox_event *e)
{
	return (struct space_key){
		.space_id = e->space_id,
		.ctx_id = e->ctx_id,
		.ioas_id = e->ioas_id,
		.tgid = e->tgid,
	};
}

/* Once @e is known to be about @s */
static inline void space_key_follow(struct space_key *s, const struct iox_event *e)
{
	s->tgid = e->tgid;
	s->gone = e->op == IOX_PROBE_destroy;
}

#endif
