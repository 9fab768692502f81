// SPDX-License-Identifier: GPL-2.0
/* iox exporter: what is counted, over HTTP, for Prometheus. */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "iox.h"
#include "lib/msg.h"
#include "lib/privilege.h"
#include "lib/rollout_state.h"
#include "lib/watch.h"
#include "metrics.h"

#define LISTEN "127.0.0.1:9753"
/* More than scrapers there are, less than it takes to be in the way of the machine */
#define MAX_CONNECTIONS 32U
#define IDLE_SECONDS 10U
#define REQUEST_BYTES 16384

struct options {
	const char *listen;
	const char *rollouts;
	struct addrinfo *address;
};

struct exporter {
	struct watch watch;
	struct probe *probe;
	struct probe_snapshot *now;
	struct MHD_Daemon *http;
	const char *rollouts;		/* folder of their states */
	int epoll;
	__u64 scrapes;
};

static const struct argp_option options[] = {
	{ "listen", 'l', "ADDRESS:PORT", 0,
	  "Where to listen, " LISTEN " if not given; [::]:9753 is every address of this machine, "
	  "port 0 any that is free", 0 },
	{ "rollouts", 'r', "DIR", 0,
	  "What this host remembers of its rollouts, to be told too; " ROLLOUT_STATE_DIR
	  " if not given", 0 },
	{ 0 },
};

static const char doc[] =
	"Serves what is counted on I/O address spaces and of their policies as metrics, at "
	"/metrics over HTTP, for Prometheus and all that reads its format.\v"
	"Calls are counted from the start of the exporter on. It gives up every privilege once "
	"its probes are loaded. There is neither encryption nor a password: for other machines to "
	"reach it, put a proxy before it that has both.";

/* getaddrinfo() would take it modulo 65536. */
static bool is_port(const char *port)
{
	return strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5 && *port &&
	       atoi(port) <= 65535;
}

static struct addrinfo *parse_listen(const char *arg)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *address = NULL;
	char *host = strdup(arg), *from = host, *port = host ? strrchr(host, ':') : NULL;
	size_t length;

	if (!port || port == host || !is_port(port + 1))
		goto out;
	*port++ = 0;
	length = strlen(host);
	if (*host == '[' && host[length - 1] == ']') {
		host[length - 1] = 0;
		from++;
	} else if (strchr(host, ':')) {
		goto out;
	}
	if (getaddrinfo(from, port, &hints, &address))
		address = NULL;
out:
	free(host);
	return address;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'l':
		o->listen = arg;
		return 0;
	case 'r':
		o->rollouts = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': not understood here", arg);
		return EINVAL;
	case ARGP_KEY_END:
		o->address = parse_listen(o->listen);
		if (!o->address)
			argp_error(state,
				   "listen '%s': not an address and a port, such as " LISTEN
				   " or [::1]:9753", o->listen);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = doc,
};

/* --- answers -------------------------------------------------------------------- */

static bool write_metrics(struct exporter *e, struct prom *p)
{
	if (!probe_read(e->probe, e->now))
		return false;
	metrics_probes(p, e->probe, e->now);
	metrics_policies(p);
	metrics_rollouts(p, e->rollouts);
	prom_family(p, "iox_exporter_scrapes", PROM_COUNTER, "How often this was asked for.");
	prom_u64(p, PROM_NO_LABELS, ++e->scrapes);
	prom_end(p);
	return !ferror(p->out);
}

/* All metrics in one buffer, to be freed; NULL if that failed. */
static char *make_metrics(struct exporter *e, bool open, size_t *size)
{
	struct prom p = { .open = open };
	char *text = NULL;
	bool ok;

	p.out = open_memstream(&text, size);
	if (!p.out)
		return NULL;
	ok = write_metrics(e, &p);
	if (!fclose(p.out) && ok)
		return text;
	free(text);
	return NULL;
}

/* @text is freed if @own. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, const char *type,
			      const char *text, size_t size, bool own)
{
	enum MHD_Result queued;
	struct MHD_Response *r = MHD_create_response_from_buffer(
		size, (void *)text, own ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

	if (!r) {
		if (own)
			free((void *)text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	queued = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result answer_briefly(struct MHD_Connection *c, unsigned int status,
				      const char *text)
{
	return answer(c, status, "text/plain; charset=utf-8", text, strlen(text), false);
}

static enum MHD_Result answer_metrics(struct exporter *e, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	bool open = accept && strstr(accept, "application/openmetrics-text");
	size_t size;
	char *text = make_metrics(e, open, &size);

	if (!text)
		return answer_briefly(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
				      "The probes cannot be read.\n");
	return answer(c, MHD_HTTP_OK, open ? PROM_OPEN : PROM_TEXT, text, size, true);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **request)
{
	(void)version, (void)upload, (void)upload_size, (void)request;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_briefly(c, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
	if (!strcmp(url, "/metrics"))
		return answer_metrics(arg, c);
	if (!strcmp(url, "/"))
		return answer_briefly(c, MHD_HTTP_OK, "iox exporter: the metrics are at /metrics\n");
	return answer_briefly(c, MHD_HTTP_NOT_FOUND, "There is /metrics only.\n");
}

/* --- running -------------------------------------------------------------------- */

static int listen_on(const struct options *o)
{
	const struct addrinfo *a = o->address;
	int yes = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
	    !bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, SOMAXCONN))
		return fd;
	msg_errno(errno, o->listen, "choose another address or port with --listen");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What was asked for may have been any port. */
static void say_where(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char host[64], port[16];
	bool v6;

	if (getsockname(fd, (struct sockaddr *)&address, &size) ||
	    getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	v6 = address.ss_family == AF_INET6;
	printf("listening on http://%s%s%s:%s/metrics\n", v6 ? "[" : "", host, v6 ? "]" : "", port);
	fflush(stdout);
	sd_notify(false, "READY=1");
}

static bool start(struct exporter *e, int fd)
{
	const union MHD_DaemonInfo *info;

	e->http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, e,
				   MHD_OPTION_LISTEN_SOCKET, fd,
				   MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
				   MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				   MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
				   MHD_OPTION_END);
	info = e->http ? MHD_get_daemon_info(e->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		msg_errno(errno, "starting the HTTP server", NULL);
		return false;
	}
	e->epoll = info->epoll_fd;
	/* Ticks end connections that are idle. */
	if (!watch_start(&e->watch, 1, stdout))
		return false;
	/* It goes on when nobody reads what it prints. */
	e->watch.out = -1;
	say_where(fd);
	return true;
}

static bool serve(struct exporter *e)
{
	MHD_UNSIGNED_LONG_LONG wait;

	for (;;) {
		switch (watch_wait(&e->watch, e->epoll)) {
		case WATCH_TICK:
		case WATCH_READY:
			do
				MHD_run(e->http);
			while (MHD_get_timeout(e->http, &wait) == MHD_YES && !wait);
			break;
		case WATCH_END:
			return true;
		default:
			return false;
		}
	}
}

static bool run(struct exporter *e, const struct options *o)
{
	struct probe_config config = {
		.follow_pidfd = -1,
		.stages = true,
		.may_only_count = true,
	};
	bool ok;
	int fd;

	if (!watch_open(&e->watch, NULL))
		return false;
	fd = listen_on(o);
	if (fd < 0)
		return false;
	e->probe = probe_open(&config);
	e->now = probe_snapshot_new();
	if (e->probe && probe_only_counts(e->probe))
		fprintf(stderr, "not seen: %s\n", probe_unseen(e->probe));
	ok = e->probe && e->now && privilege_keep(0) && start(e, fd) && serve(e);
	/* The socket is its own once there is a server. */
	if (e->http)
		MHD_stop_daemon(e->http);
	else
		close(fd);
	return ok;
}

int cmd_exporter(int argc, char **argv)
{
	struct options opt = { .listen = LISTEN, .rollouts = ROLLOUT_STATE_DIR };
	struct exporter e = {};
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	e.rollouts = opt.rollouts;
	ok = run(&e, &opt);
	probe_close(e.probe);
	free(e.now);
	freeaddrinfo(opt.address);
	return watch_close(&e.watch, ok);
}
