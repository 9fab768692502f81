/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd

#if !defined(IOMMUFD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOMMUFD_TRACE_H

#include <linux/tracepoint.h>

#include "op.h"

int iommufd_op_trace_start(void);
void iommufd_op_trace_stop(void);

/*
 * BPF programs get @op itself, perf and ftrace what is printed here. It goes away
 * when the tracepoint returns.
 */
TRACE_EVENT_FN(iommufd_op,
	TP_PROTO(const struct iommufd_op *op),
	TP_ARGS(op),
	TP_STRUCT__entry(
		__field(u64, ns)
		__array(u64, stage_ns, IOMMUFD_NR_STAGES)
		__field(u64, ctx_id)
		__field(u64, iova)
		__field(u64, length)
		__field(u32, ioas_id)
		__field(u32, kind)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->ns = op->ns;
		memcpy(__entry->stage_ns, op->stage_ns,
		       sizeof(__entry->stage_ns));
		__entry->ctx_id = op->ctx_id;
		__entry->iova = op->iova;
		__entry->length = op->length;
		__entry->ioas_id = op->ioas_id;
		__entry->kind = op->kind;
		__entry->result = op->result;
	),
	TP_printk("%s ctx=%llu ioas=%u iova=%#llx length=%#llx result=%d ns=%llu select=%llu pin=%llu tables=%llu flush=%llu",
		  __print_symbolic(__entry->kind,
				   { IOMMUFD_OP_MAP, "map" },
				   { IOMMUFD_OP_MAP_FILE, "map-file" },
				   { IOMMUFD_OP_COPY, "copy" },
				   { IOMMUFD_OP_UNMAP, "unmap" },
				   { IOMMUFD_OP_ATTACH, "attach" },
				   { IOMMUFD_OP_DETACH, "detach" },
				   { IOMMUFD_OP_PIN, "pin" },
				   { IOMMUFD_OP_INVALIDATE, "invalidate" },
				   { IOMMUFD_OP_DESTROY, "destroy" }),
		  __entry->ctx_id, __entry->ioas_id, __entry->iova,
		  __entry->length, __entry->result, __entry->ns,
		  __entry->stage_ns[IOMMUFD_STAGE_SELECT],
		  __entry->stage_ns[IOMMUFD_STAGE_PIN],
		  __entry->stage_ns[IOMMUFD_STAGE_TABLES],
		  __entry->stage_ns[IOMMUFD_STAGE_FLUSH]),
	iommufd_op_trace_start, iommufd_op_trace_stop
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
