/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iox_admit

#if !defined(_TRACE_IOX_ADMIT_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOX_ADMIT_H

#include <linux/iox_admit.h>
#include <linux/tracepoint.h>

#define show_iox_admit_step(step)					\
	__print_symbolic(step,						\
			 { IOX_ADMIT_MARK, "mark" },			\
			 { IOX_ADMIT_PRESERVE, "preserve" },		\
			 { IOX_ADMIT_FREEZE, "freeze" },		\
			 { IOX_ADMIT_RETRIEVE, "retrieve" })

#define show_iox_admit_kind(kind)					\
	__print_symbolic(kind,						\
			 { IOX_ADMIT_HWPT, "hwpt" },			\
			 { IOX_ADMIT_IOMMUFD, "iommufd" },		\
			 { IOX_ADMIT_DEVICE, "device" })

/* An admission policy has been asked, and this is what it said. */
TRACE_EVENT(iox_admit,
	TP_PROTO(const struct iox_admit_req *req, const char *policy, int answer,
		 const char *reason),
	TP_ARGS(req, policy, answer, reason),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cgroup_id)
		__field(u64, token)
		__field(u32, step)
		__field(u32, kind)
		__field(u32, uid)
		__field(u32, pid)
		__field(int, answer)
		__string(session, req->session)
		__string(policy, policy)
		__string(reason, reason)
	),
	TP_fast_assign(
		__entry->id = req->id;
		__entry->cgroup_id = req->cgroup_id;
		__entry->token = req->token;
		__entry->step = req->step;
		__entry->kind = req->kind;
		__entry->uid = req->uid;
		__entry->pid = req->pid;
		__entry->answer = answer;
		__assign_str(session);
		__assign_str(policy);
		__assign_str(reason);
	),
	TP_printk("%s %s id=%llu token=%#llx session=%s uid=%u pid=%u cgroup=%llu policy=%s answer=%d: %s",
		  show_iox_admit_step(__entry->step),
		  show_iox_admit_kind(__entry->kind), __entry->id,
		  __entry->token, __get_str(session), __entry->uid, __entry->pid,
		  __entry->cgroup_id, __get_str(policy), __entry->answer,
		  __get_str(reason))
);

#endif

#include <trace/define_trace.h>
