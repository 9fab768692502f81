// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that go away while they are attached and memory is mapped for them:
 * unbound from vfio, removed through sysfs, unplugged from their slot. vfio asks
 * for the device and waits until its file is closed; until then all goes on
 * as before, and afterwards the address space is as good as without it.
 */
#include <linux/limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/child.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/mock.h"
#include "lib/monitor.h"

/* In the mock IOMMU's aperture too */
#define AT 0x10000000ULL
#define BUFFER_SIZE (64 * PAGE)
#define OUT (BUFFER_SIZE / 2)

/* vfio asks at once, then every ten seconds; QEMU's slot takes five. */
#define ASKED_MS 30000
#define WAIT_S 60
#define NAP_US 10000

#define SLOT "/sys/bus/pci/slots/1"

/* Who takes a device away, and waits until it is given */
struct taker {
	pthread_t thread;
	char path[PATH_MAX];
	char text[64];
	atomic_bool done;
	int err;
};

static void *take(void *arg)
{
	struct taker *t = arg;

	t->err = sysfs_write(t->path, t->text);
	atomic_store(&t->done, true);
	return NULL;
}

static int taker_start(struct taker *t, const char *path, const char *text)
{
	*t = (struct taker){};
	snprintf(t->path, sizeof(t->path), "%s", path);
	snprintf(t->text, sizeof(t->text), "%s", text);
	return pthread_create(&t->thread, NULL, take, t);
}

static int taker_end(struct taker *t)
{
	return pthread_join(t->thread, NULL) ?: t->err;
}

/* For loops that wait: a nap, as long as there is time. Starts at 0. */
static bool nap(time_t *started)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*started)
		*started = now.tv_sec;
	usleep(NAP_US);
	return now.tv_sec - *started < WAIT_S;
}

static bool asked_for(int eventfd)
{
	struct pollfd poller = { .fd = eventfd, .events = POLLIN };

	return poll(&poller, 1, ASKED_MS) == 1;
}

/* The kernel switches off the slot, and then QEMU takes what is in it. */
static bool wait_until_empty(void)
{
	time_t started = 0;
	int there;

	do {
		FILE *f = fopen(SLOT "/adapter", "re");

		there = 1;
		if (f) {
			if (fscanf(f, "%d", &there) != 1)
				there = 1;
			fclose(f);
		}
	} while (there && nap(&started));
	return !there;
}

static bool wait_until(const char *name, bool exists)
{
	time_t started = 0;

	while (pci_exists(name) != exists)
		if (!nap(&started))
			return false;
	return true;
}

/* Does the device copy from one part of the mapped @buffer to the other? */
static int check_dma(struct edu *edu, char *buffer)
{
	buffer_fill(buffer, EDU_CHUNK, 3);
	memset(buffer + OUT, 0, EDU_CHUNK);
	return edu_copy(edu, AT + OUT, AT, EDU_CHUNK) ?:
	       buffer_holds(buffer + OUT, EDU_CHUNK, 3) ? 0 : -EIO;
}

/* Can memory still be mapped and unmapped? */
static int check_ioas(int fd, __u32 ioas, char *buffer)
{
	return ioas_map_fixed(fd, ioas, buffer, BUFFER_SIZE, 2 * AT) ?:
	       ioas_unmap(fd, ioas, 2 * AT, BUFFER_SIZE);
}

/* --- taken through sysfs ---------------------------------------------------------- */

FIXTURE(unplug)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	struct mock mock;
	char *buffer;
	int asked;
};

FIXTURE_VARIANT(unplug)
{
	const char *path;	/* with the device's name in place of %s */
	const char *text;	/* likewise */
	bool gone;		/* the device itself, not only its driver */
};

FIXTURE_VARIANT_ADD(unplug, unbind)
{
	.path = "/sys/bus/pci/drivers/vfio-pci/unbind",
	.text = "%s",
};

FIXTURE_VARIANT_ADD(unplug, remove)
{
	.path = "/sys/bus/pci/devices/%s/remove",
	.text = "1",
	.gone = true,
};

/* The address space has another device, which stays. */
FIXTURE_SETUP(unplug)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->buffer = buffer_small(BUFFER_SIZE);
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	ASSERT_EQ(0, mock_plug(self->fd, self->ioas, 0, &self->mock))
		TH_LOG(NEED_MOCK);
	self->asked = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->asked);
	must(vfio_on_request(self->edu.fd, self->asked));
}

FIXTURE_TEARDOWN(unplug)
{
	edu_close(&self->edu);
	close(self->asked);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

static int take_device(struct taker *t, const char *path, const char *text,
		       const char *name)
{
	char real_path[PATH_MAX], real_text[64];

	snprintf(real_path, sizeof(real_path), path, name);
	snprintf(real_text, sizeof(real_text), text, name);
	return taker_start(t, real_path, real_text);
}

#define must_take(taker)						\
	must(take_device(taker, variant->path, variant->text, self->edu.name))

#define must_come_back()						\
do {									\
	if (variant->gone) {						\
		EXPECT_FALSE(pci_exists(self->edu.name));		\
		must(pci_rescan());					\
		ASSERT_TRUE(wait_until(self->edu.name, true));		\
	}								\
	must(edu_setup(&self->edu, self->fd, self->ioas));		\
	must(check_dma(&self->edu, self->buffer));			\
} while (0)

TEST_F_TIMEOUT(unplug, waits_for_the_file_and_comes_back, 60)
{
	struct taker taker;

	must_take(&taker);
	ASSERT_TRUE(asked_for(self->asked));
	must(check_dma(&self->edu, self->buffer));
	must(check_ioas(self->fd, self->ioas, self->buffer));
	EXPECT_FALSE(atomic_load(&taker.done));
	edu_close(&self->edu);
	must(taker_end(&taker));

	/* Nothing has changed for the device that is left. */
	must(mock_check_map(self->fd, self->mock.hwpt, AT, self->buffer,
			    BUFFER_SIZE));
	must(check_ioas(self->fd, self->ioas, self->buffer));
	EXPECT_GT(0, vfio_open(self->edu.name));
	must_come_back();
}

/* The only device goes: what it was given is unpinned, what is mapped stays. */
TEST_F_TIMEOUT(unplug, last_device_leaves_only_areas, 60)
{
	struct taker taker;

	must(iommufd_destroy(self->fd, self->mock.stdev));
	must_take(&taker);
	ASSERT_TRUE(asked_for(self->asked));
	EXPECT_LT(self->mark.pins, leak_pins());
	edu_close(&self->edu);
	must(taker_end(&taker));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	/* The kernel's own domain for the device may be gone with it. */
	EXPECT_GE(self->mark.iommu_pages, leak_iommu_pages());
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, AT));
	must_come_back();
}

/* The address space goes first; the device's file still holds it. */
TEST_F_TIMEOUT(unplug, with_the_iommufd_closed, 60)
{
	struct taker taker;

	must(close(self->fd));
	must_take(&taker);
	ASSERT_TRUE(asked_for(self->asked));
	must(check_dma(&self->edu, self->buffer));
	edu_close(&self->edu);
	must(taker_end(&taker));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	EXPECT_GE(self->mark.iommu_pages, leak_iommu_pages());
	self->fd = iommufd_open();
	must(ioas_alloc(self->fd, &self->ioas));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	must_come_back();
}

/* Has the device, and ends only by being killed. */
static void hold_the_device(int ready)
{
	char *buffer = buffer_small(BUFFER_SIZE);
	struct edu edu;
	__u32 ioas;
	int fd;

	if (edu_bind_new(&edu, &fd, &ioas) || vfio_attach_ioas(edu.fd, ioas) ||
	    ioas_map_fixed(fd, ioas, buffer, BUFFER_SIZE, AT))
		_exit(1);
	child_ready(ready);
	pause();
}

TEST_F_TIMEOUT(unplug, ends_when_the_owner_is_killed, 60)
{
	struct taker taker;
	pid_t owner;

	edu_close(&self->edu);
	owner = child_start(hold_the_device);
	ASSERT_LT(0, owner);
	must_take(&taker);
	usleep(100000);
	EXPECT_FALSE(atomic_load(&taker.done));
	must(child_kill(owner));
	must(taker_end(&taker));
	must_come_back();
}

struct mapper {
	pthread_t thread;
	int fd;
	__u32 ioas;
	char *buffer;
	atomic_bool stop;
	int rounds;
	int err;
};

static void *map_until_stopped(void *arg)
{
	struct mapper *m = arg;

	for (; !m->err && !atomic_load(&m->stop); m->rounds++)
		m->err = check_ioas(m->fd, m->ioas, m->buffer);
	return NULL;
}

TEST_F_TIMEOUT(unplug, while_a_thread_maps, 120)
{
	struct mapper mapper = {
		.fd = self->fd,
		.ioas = self->ioas,
		.buffer = self->buffer,
	};
	struct taker taker;

	ASSERT_EQ(0, pthread_create(&mapper.thread, NULL, map_until_stopped,
				    &mapper));
	for (int i = 0; i < 5; i++) {
		must_take(&taker);
		if (i == 0)
			ASSERT_TRUE(asked_for(self->asked));
		usleep(1000 * i);
		edu_close(&self->edu);
		must(taker_end(&taker));
		must_come_back();
	}
	atomic_store(&mapper.stop, true);
	ASSERT_EQ(0, pthread_join(mapper.thread, NULL));
	EXPECT_EQ(0, mapper.err);
	EXPECT_LT(5, mapper.rounds);
}

/* --- out of its slot ----------------------------------------------------------------- */

#define PLUG "device_add edu,id=guest,bus=slot1,dma_mask=0xffffffffffffffff"
#define UNPLUG "device_del guest"
#define NEED_SLOT "no monitor, or no PCIe slot called slot1: see scripts/test"

FIXTURE(slot)
{
	struct leak_mark mark;
	int monitor;
	int fd;
	__u32 ioas;
	struct edu edu;
	struct edu guest;	/* in the slot */
	char *buffer;
	int asked;
};

FIXTURE_VARIANT(slot)
{
	bool button;		/* of the slot; else its power is switched off */
};

FIXTURE_VARIANT_ADD(slot, button)
{
	.button = true,
};

FIXTURE_VARIANT_ADD(slot, power)
{
	.button = false,
};

/* Finds the device whose name is not @known. */
static int find_other(const char *known, char name[PCI_NAME_SIZE])
{
	for (int nth = 0; !edu_find(nth, name); nth++)
		if (strcmp(name, known))
			return 0;
	return -ENODEV;
}

/*
 * Is vfio-pci done with probing? The slot's own thread may be at it, and has the
 * driver's link up before.
 */
static bool is_claimed(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", name);
	return !vfio_pci_claim(name) && !access(path, F_OK);
}

/* Plugs in a device, and waits until it can be opened. */
static int plug(int monitor, const char *known, char name[PCI_NAME_SIZE])
{
	int err = monitor_do(monitor, PLUG);
	time_t started = 0;

	if (err)
		return err;
	do {
		if (!find_other(known, name) && is_claimed(name))
			return 0;
	} while (nap(&started));
	return -ENODEV;
}

#define must_open_guest(name)						\
do {									\
	must(edu_open_name(&self->guest, name));			\
	must(edu_start(&self->guest, self->fd));			\
	must(vfio_attach_ioas(self->guest.fd, self->ioas));		\
	must(check_dma(&self->guest, self->buffer));			\
	must(vfio_on_request(self->guest.fd, self->asked));		\
} while (0)

/* What the IOMMU keeps for the slot's bus is there before the mark is. */
FIXTURE_SETUP(slot)
{
	char known[PCI_NAME_SIZE], name[PCI_NAME_SIZE];

	self->guest.fd = -1;
	self->monitor = access(SLOT, F_OK) ? -ENODEV : monitor_open();
	if (self->monitor < 0)
		SKIP(return, NEED_SLOT);
	ASSERT_EQ(0, edu_find(0, known)) TH_LOG(NEED_EDU);
	must(plug(self->monitor, known, name));
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	must(edu_open_name(&self->edu, known));
	must(edu_start(&self->edu, self->fd));
	self->buffer = buffer_small(BUFFER_SIZE);
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	self->asked = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->asked);
	must_open_guest(name);
}

static int unplug(int monitor, bool button, struct taker *taker)
{
	if (button)
		return monitor_do(monitor, UNPLUG);
	return taker_start(taker, SLOT "/power", "0");
}

FIXTURE_TEARDOWN(slot)
{
	if (self->monitor < 0)
		return;
	edu_close(&self->guest);
	edu_close(&self->edu);
	close(self->asked);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
	monitor_do(self->monitor, UNPLUG);
	EXPECT_TRUE(wait_until_empty());
	close(self->monitor);
}

TEST_F_TIMEOUT(slot, unplugged_while_mapped_and_plugged_again, 120)
{
	char name[PCI_NAME_SIZE];
	struct taker taker;

	must(unplug(self->monitor, variant->button, &taker));
	ASSERT_TRUE(asked_for(self->asked));
	must(check_dma(&self->guest, self->buffer));
	edu_close(&self->guest);
	if (!variant->button)
		must(taker_end(&taker));
	EXPECT_TRUE(wait_until(self->guest.name, false));
	EXPECT_TRUE(wait_until_empty());

	must(check_dma(&self->edu, self->buffer));
	must(check_ioas(self->fd, self->ioas, self->buffer));
	must(plug(self->monitor, self->edu.name, name));
	must_open_guest(name);
	must(check_dma(&self->edu, self->buffer));
}

/* --- mock devices -------------------------------------------------------------------- */

FIXTURE(mock)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct mock mock;
	char *buffer;
};

FIXTURE_SETUP(mock)
{
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	self->buffer = buffer_small(BUFFER_SIZE);
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	ASSERT_EQ(0, mock_plug(self->fd, self->ioas, MOCK_FLAGS_DEVICE_PASID,
			       &self->mock)) TH_LOG(NEED_MOCK);
}

FIXTURE_TEARDOWN(mock)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F(mock, unplugged_while_mapped)
{
	must(mock_check_pins(self->fd, self->buffer, BUFFER_SIZE, 1));
	must(iommufd_destroy(self->fd, self->mock.stdev));
	must(mock_check_pins(self->fd, self->buffer, BUFFER_SIZE, 0));
	must_fail(ENOENT, iommufd_destroy(self->fd, self->mock.hwpt));
	must(mock_plug(self->fd, self->ioas, 0, &self->mock));
	must(mock_check_map(self->fd, self->mock.hwpt, AT, self->buffer,
			    BUFFER_SIZE));
	must(ioas_unmap_all(self->fd, self->ioas));
}

/* Its driver lets go of what it has attached, whatever that is. */
TEST_F(mock, unplugged_with_pasids_attached)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_PASID,
		.dev_id = self->mock.dev,
		.pt_id = self->ioas,
	};
	__u32 pt;

	must(xioctl(self->fd, IOMMU_HWPT_ALLOC, &hwpt));
	pt = hwpt.out_hwpt_id;
	must(mock_replace(self->fd, self->mock.stdev, &pt));
	for (__u32 pasid = 1; pasid < 10; pasid++)
		must(mock_pasid_attach(self->fd, self->mock.stdev, pasid, pt));
	must(mock_pasid_detach(self->fd, self->mock.stdev, 5));
	must_fail(EBUSY, iommufd_destroy(self->fd, pt));
	must(iommufd_destroy(self->fd, self->mock.stdev));
	must(iommufd_destroy(self->fd, pt));
	must(mock_check_pins(self->fd, self->buffer, BUFFER_SIZE, 0));
}

/* The same by closing the file, which destroys objects in any order. */
TEST_F(mock, closed_with_pasids_attached)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_PASID,
		.dev_id = self->mock.dev,
		.pt_id = self->ioas,
	};
	__u32 pt;

	must(xioctl(self->fd, IOMMU_HWPT_ALLOC, &hwpt));
	pt = hwpt.out_hwpt_id;
	must(mock_replace(self->fd, self->mock.stdev, &pt));
	must(mock_pasid_attach(self->fd, self->mock.stdev, 1, pt));
	/* The fixture's teardown closes. */
}

TEST_HARNESS_MAIN
