// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "keep.h"
#include "luo.h"

#define LUO_PREFIX "luo:"
#define MAX_FILES 16

/* To the process that holds files; its answer is the same with a result. */
struct message {
	__u64 token;
	__s32 result;	/* 0, or a negative errno; not used in questions */
};

/* A message has a file with it, or asks for one. */
static int send_message(int fd, const struct message *message, int file)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { (void *)message, sizeof(*message) };
	struct msghdr msg = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (file >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &file, sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* *@file is -1 if none came. */
static int receive_message(int fd, struct message *message, int *file)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = { message, sizeof(*message) };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	ssize_t size;

	*file = -1;
	size = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (size < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&msg);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(file, CMSG_DATA(header), sizeof(int));
	return size == sizeof(*message) ? 0 : -EPIPE;
}

static int socket_address(struct sockaddr_un *address, const char *path)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address;
	int err = socket_address(&address, path);
	int fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int keep_open(struct keep *keep, const char *place,
		     int (*session)(const char *name))
{
	size_t prefix = strlen(LUO_PREFIX);

	keep->luo = !strncmp(place, LUO_PREFIX, prefix);
	keep->fd = keep->luo ? session(place + prefix) : connect_to(place);
	return keep->fd < 0 ? keep->fd : 0;
}

int keep_create(struct keep *keep, const char *place)
{
	return keep_open(keep, place, luo_create);
}

int keep_find(struct keep *keep, const char *place)
{
	return keep_open(keep, place, luo_retrieve);
}

int keep_put_hwpt(const struct keep *keep, int iommufd, __u32 hwpt,
		  __u64 token)
{
	return keep->luo ? hwpt_mark(iommufd, hwpt, token) : 0;
}

int keep_put(const struct keep *keep, __u64 token, int fd)
{
	struct message message = { .token = token };
	int file, err;

	if (keep->luo)
		return luo_preserve_fd(keep->fd, fd, token);
	err = send_message(keep->fd, &message, fd);
	if (!err)
		err = receive_message(keep->fd, &message, &file);
	return err ?: message.result;
}

int keep_get(const struct keep *keep, __u64 token)
{
	struct message message = { .token = token };
	int file, err;

	if (keep->luo)
		return luo_retrieve_fd(keep->fd, token);
	err = send_message(keep->fd, &message, -1);
	if (!err)
		err = receive_message(keep->fd, &message, &file);
	if (!err)
		err = message.result;
	return err ?: file;
}

int keep_finish(const struct keep *keep)
{
	return keep->luo ? luo_finish(keep->fd) : 0;
}

/* --- the process that holds files -------------------------------------------- */

struct held {
	__u64 token;
	int fd;
};

struct store {
	struct held files[MAX_FILES];
	unsigned int count;
};

static struct held *find(struct store *store, __u64 token)
{
	for (unsigned int i = 0; i < store->count; i++)
		if (store->files[i].token == token)
			return &store->files[i];
	return NULL;
}

static int put(struct store *store, __u64 token, int fd)
{
	struct held *held = find(store, token);

	if (held) {
		close(held->fd);
		held->fd = fd;
		return 0;
	}
	if (store->count == MAX_FILES) {
		close(fd);
		return -ENOSPC;
	}
	store->files[store->count++] = (struct held){ token, fd };
	return 0;
}

static void answer(struct store *store, int connection)
{
	struct message message;
	struct held *held;
	int file;

	while (!receive_message(connection, &message, &file)) {
		if (file >= 0) {
			message.result = put(store, message.token, file);
			send_message(connection, &message, -1);
			continue;
		}
		held = find(store, message.token);
		message.result = held ? 0 : -ENOENT;
		send_message(connection, &message, held ? held->fd : -1);
	}
}

int keep_serve(const char *path)
{
	struct store store = { .count = 0 };
	struct sockaddr_un address;
	int listener, connection;
	int err = socket_address(&address, path);

	if (err)
		return err;
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, MAX_FILES))
		return -errno;
	while ((connection = accept(listener, NULL, NULL)) >= 0) {
		answer(&store, connection);
		close(connection);
	}
	return -errno;
}
