// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of live update, which run when the module is loaded: every function that a file handler calls and every
 * way in which each can fail, the page tables, and what the next kernel thinks of each single damaged bit.
 *
 * The results are TAP in the kernel's log. If a test fails, so does the loading of the module.
 *
 * With damage=WHAT:BYTE:BIT the module stays, and does that to the next real update once its checksums are made. WHAT is
 * flb, iommu, domain or device, for the first page of each, or table, for the top table of the first domain.
 *
 * With jumps_anywhere the module stays, and nobody asks whether the next kernel takes over what is preserved.
 */
#define pr_fmt(fmt) "iommu-liveupdate-test: " fmt

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/kho/abi/note.h>
#include <linux/liveupdate_note.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "liveupdate.h"
#include "test-mock.h"
#include "test.h"

#define NR_MAPS 5

static char *damage;
module_param(damage, charp, 0444);
MODULE_PARM_DESC(damage, "WHAT:BYTE:BIT to flip in the next real update");

static bool jumps_anywhere;
module_param(jumps_anywhere, bool, 0444);
MODULE_PARM_DESC(jumps_anywhere, "jump with any image, whatever it takes over");

static int failed_at;

/* Notes the first line that fails, and goes on: the clean-up has to run. */
#define EXPECT(condition)							\
	do {									\
		if (!(condition) && !failed_at) {				\
			failed_at = __LINE__;					\
			pr_info("# line %d: %s\n", __LINE__, #condition);	\
		}								\
	} while (0)

/**
 * struct fixture - A kernel with a domain and two devices
 * @obj: Live object of the FLB, outgoing and later incoming
 * @data: Its handle
 * @domain: Mapped NR_MAPS times
 * @devices: Of this kernel
 * @next: The same as the next kernel finds them
 * @domain_phys: As preserved
 * @device_phys: As preserved
 * @sign_extend: Format of the page table
 */
struct fixture {
	void *obj;
	u64 data;
	struct mock_domain *domain;
	struct mock_device *devices[2];
	struct mock_device *next[2];
	u64 domain_phys;
	u64 device_phys[2];
	bool sign_extend;
};

static bool setup(struct fixture *f, bool sign_extend)
{
	*f = (struct fixture){ .sign_extend = sign_extend };
	mock_begin();
	f->domain = mock_domain_alloc(sign_extend);
	for (int i = 0; i < 2; i++) {
		f->devices[i] = mock_device_alloc(i);
		f->next[i] = mock_device_alloc(i);
	}
	EXPECT(f->domain && f->devices[0] && f->devices[1] && f->next[0] && f->next[1]);
	if (failed_at)
		return false;
	EXPECT(!mock_domain_map(f->domain, NR_MAPS));
	EXPECT(!iommu_lu_outgoing_begin(&f->data, &f->obj));
	return !failed_at;
}

static void teardown(struct fixture *f)
{
	for (int i = 0; i < 2; i++) {
		mock_device_free(f->devices[i]);
		mock_device_free(f->next[i]);
	}
	EXPECT(!mock_end());
}

static void teardown_outgoing(struct fixture *f)
{
	iommu_lu_outgoing_end(f->obj);
	f->domain->domain.ops->free(&f->domain->domain);
	teardown(f);
}

static struct device *old_dev(struct fixture *f, int i)
{
	return &f->devices[i]->pdev.dev;
}

static struct device *new_dev(struct fixture *f, int i)
{
	return &f->next[i]->pdev.dev;
}

static void preserve(struct fixture *f)
{
	EXPECT(!iommu_domain_preserve(&f->domain->domain, &f->domain_phys));
	for (int i = 0; i < 2; i++)
		EXPECT(!iommu_device_preserve(old_dev(f, i), &f->domain->domain, 100 + i, &f->device_phys[i]));
}

static void jump(struct fixture *f)
{
	preserve(f);
	iommu_lu_outgoing_freeze(f->obj);
	iommu_lu_outgoing_forget();
	mock_domain_forget(f->domain);
	mock_jump(true);
	EXPECT(!iommu_lu_incoming_begin(f->data, &f->obj));
}

static void adopt(struct fixture *f)
{
	struct iommu_hw_ser *hw = iommu_liveupdate_find_hw(IOMMU_HW_SER_MOCK, MOCK_TOKEN);
	struct iommu_domain_ser *domain_ser;

	EXPECT(hw);
	EXPECT(!iommu_liveupdate_find_hw(IOMMU_HW_SER_MOCK, MOCK_TOKEN + 1));
	EXPECT(!iommu_liveupdate_find_hw(IOMMU_HW_SER_VTD, MOCK_TOKEN));
	if (!hw)
		return;
	EXPECT(iommu_liveupdate_find_device(hw, MOCK_SEGMENT, PCI_DEVID(3, 1), &domain_ser));
	EXPECT(!iommu_liveupdate_find_device(hw, MOCK_SEGMENT, PCI_DEVID(3, 2), &domain_ser));
	EXPECT(!iommu_liveupdate_find_device(hw, 0, PCI_DEVID(3, 1), &domain_ser));
	iommu_liveupdate_adopted(hw);
}

static void test_arrays(void)
{
	struct iommu_flb_ser ser = {};
	struct iommu_lu_state state;
	struct iommu_lu_array *array = &state.arrays[IOMMU_LU_DOMAIN];
	struct iommu_array_hdr_ser *page;
	struct iommu_domain_ser *object, *first = NULL, *middle = NULL;
	u64 index, nr = 0;

	mock_begin();
	iommu_lu_state_init(&state, &ser);
	for (int i = 0; i < 250; i++) {
		object = iommu_lu_array_add(array);
		EXPECT(!IS_ERR(object) && object->obj.ref_count == 1);
		if (IS_ERR(object))
			break;
		object->top_level = i;
		if (!i)
			first = object;
		if (i == 120)
			middle = object;
	}
	EXPECT(array->nr_pages == 3 && mock_kho.nr == 3);
	EXPECT(ser.iommu_domain_array_phys && !ser.iommu_array_phys && !ser.device_array_phys);
	iommu_lu_for_each(array, object, page, index)
		EXPECT(object->top_level == nr++);
	EXPECT(nr == 250);

	EXPECT(iommu_lu_array_at(array, virt_to_phys(middle)) == middle);
	EXPECT(!iommu_lu_array_at(array, virt_to_phys(middle) + 8));
	iommu_lu_array_del(array, middle);
	EXPECT(!iommu_lu_array_at(array, virt_to_phys(middle)));
	EXPECT(iommu_lu_array_add(array) == middle && !middle->obj.deleted && !middle->top_level);

	/* Memory for a fourth page cannot be preserved. */
	mock_kho.fail_at = mock_kho.total + 1;
	for (nr = 250; nr < 3 * 102; nr++)
		EXPECT(!IS_ERR(iommu_lu_array_add(array)));
	EXPECT(iommu_lu_array_add(array) == ERR_PTR(-ENOMEM));
	iommu_lu_array_del(array, first);
	EXPECT(iommu_lu_array_add(array) == first);

	iommu_lu_array_unpreserve(array);
	EXPECT(!ser.iommu_domain_array_phys);
	EXPECT(!mock_end());
}

static void test_tables(bool sign_extend)
{
	struct mock_domain *old, *new;
	struct iommu_domain_ser ser = {};
	unsigned long nr_pages, nr_restored;

	mock_begin();
	old = mock_domain_alloc(sign_extend);
	new = mock_domain_alloc(sign_extend);
	EXPECT(old && new && !mock_domain_map(old, NR_MAPS));
	EXPECT(!old->iommu.ops->preserve(&old->iommu, &ser, &nr_pages));
	/* A table for each mapping, and the levels above. */
	EXPECT(nr_pages == NR_MAPS + (sign_extend ? 3 : 2) && mock_kho.nr == nr_pages);
	old->iommu.ops->unpreserve(&old->iommu);
	EXPECT(!mock_kho.nr);

	for (int i = 1; i <= nr_pages; i++) {
		unsigned long ignored;

		mock_kho.fail_at = mock_kho.total + i;
		EXPECT(old->iommu.ops->preserve(&old->iommu, &ser, &ignored) == -ENOMEM);
		EXPECT(!mock_kho.nr);
	}
	mock_kho.fail_at = 0;

	EXPECT(!old->iommu.ops->preserve(&old->iommu, &ser, &nr_pages));
	mock_jump(true);
	ser.vasz++;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EINVAL);
	ser.vasz--;
	ser.top_level--;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EINVAL);
	ser.top_level++;
	ser.sign_extend ^= 1;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EINVAL);
	ser.sign_extend ^= 1;
	ser.top_table_phys++;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EUCLEAN);
	ser.top_table_phys--;
	mock_kho.lost = ser.top_table_phys;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EUCLEAN);
	mock_kho.lost = 0;
	EXPECT(mock_kho.nr == nr_pages);
	EXPECT(!new->iommu.ops->restore(&new->iommu, &ser, &nr_restored));
	EXPECT(nr_restored == nr_pages && !mock_kho.nr);
	EXPECT(mock_domain_maps(&new->domain, sign_extend, NR_MAPS));
	/* Nobody gets the same tables twice. */
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EUCLEAN);

	mock_domain_forget(old);
	new->domain.ops->free(&new->domain);
	EXPECT(!mock_end());
}

static void test_tables_ss(void)
{
	test_tables(false);
}

static void test_tables_fs(void)
{
	test_tables(true);
}

/*
 * Entries that lead to what was handed over, and are not as they were: a table that another entry leads to as well, one
 * table more, one less, and two that have changed places. Nothing is taken over then.
 */
static void test_tables_changed(void)
{
	struct mock_domain *old = NULL, *new = NULL;
	struct iommu_domain_ser ser = {};
	unsigned long nr_pages, nr_restored;
	u64 *top, *table, first;

	mock_begin();
	old = mock_domain_alloc(false);
	new = mock_domain_alloc(false);
	EXPECT(old && new && !mock_domain_map(old, NR_MAPS));
	EXPECT(!old->iommu.ops->preserve(&old->iommu, &ser, &nr_pages));
	top = phys_to_virt(ser.top_table_phys);
	/* MOCK_IOVA is the second GiB. */
	table = phys_to_virt(top[1] & GENMASK_ULL(51, 12));
	mock_jump(true);
	first = table[0];
	table[7] = first;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EUCLEAN);
	table[7] = 0;
	table[0] = 0;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EUCLEAN);
	table[0] = table[1];
	table[1] = first;
	EXPECT(new->iommu.ops->restore(&new->iommu, &ser, &nr_restored) == -EUCLEAN);
	table[1] = table[0];
	table[0] = first;
	EXPECT(mock_kho.nr == nr_pages);
	EXPECT(!new->iommu.ops->restore(&new->iommu, &ser, &nr_restored));
	EXPECT(nr_restored == nr_pages && !mock_kho.nr);

	mock_domain_forget(old);
	new->domain.ops->free(&new->domain);
	EXPECT(!mock_end());
}

static void test_undo(void)
{
	struct fixture f;
	int nr;

	if (!setup(&f, false))
		return;
	nr = mock_kho.nr;
	preserve(&f);
	EXPECT(iommu_device_is_preserved(old_dev(&f, 0)) && !iommu_device_is_restored(old_dev(&f, 0)));
	EXPECT(iommu_domain_preserved_devices(&f.domain->domain) == 2 && mock_calls.preserved == 2);
	for (int i = 1; i >= 0; i--) {
		iommu_device_unpreserve(old_dev(&f, i));
		EXPECT(!iommu_device_is_preserved(old_dev(&f, i)));
	}
	EXPECT(!iommu_domain_preserved_devices(&f.domain->domain) && !mock_calls.preserved);
	iommu_domain_unpreserve(&f.domain->domain);
	/* The three arrays have grown. */
	EXPECT(mock_kho.nr == nr + 3);

	/* And again, in the same places. */
	preserve(&f);
	for (int i = 1; i >= 0; i--)
		iommu_device_unpreserve(old_dev(&f, i));
	iommu_domain_unpreserve(&f.domain->domain);
	EXPECT(mock_kho.nr == nr + 3);
	teardown_outgoing(&f);
}

static void test_refused(void)
{
	struct iommu_domain *domain;
	struct fixture f;
	u64 phys;

	if (!setup(&f, false))
		return;
	domain = &f.domain->domain;
	EXPECT(iommu_device_preserve(old_dev(&f, 0), domain, 0, &phys) == -ENOENT);
	domain->type = IOMMU_DOMAIN_DMA;
	EXPECT(iommu_domain_preserve(domain, &phys) == -EOPNOTSUPP);
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->is_iommupt = false;
	EXPECT(iommu_domain_preserve(domain, &phys) == -EOPNOTSUPP);
	domain->is_iommupt = true;
	EXPECT(!iommu_domain_preserve(domain, &f.domain_phys));
	EXPECT(iommu_domain_preserve(domain, &phys) == -EBUSY);

	f.devices[0]->pdev.is_virtfn = 1;
	EXPECT(iommu_device_preserve(old_dev(&f, 0), domain, 0, &phys) == -EOPNOTSUPP);
	f.devices[0]->pdev.is_virtfn = 0;
	old_dev(&f, 0)->bus = NULL;
	EXPECT(iommu_device_preserve(old_dev(&f, 0), domain, 0, &phys) == -EOPNOTSUPP);
	old_dev(&f, 0)->bus = &pci_bus_type;
	mock_calls.fail_preserve = -EOPNOTSUPP;
	EXPECT(iommu_device_preserve(old_dev(&f, 0), domain, 0, &phys) == -EOPNOTSUPP);
	mock_calls.fail_preserve = 0;
	EXPECT(!iommu_domain_preserved_devices(domain) && !iommu_device_is_preserved(old_dev(&f, 0)));
	EXPECT(!iommu_device_preserve(old_dev(&f, 0), domain, 0, &phys));
	EXPECT(iommu_device_preserve(old_dev(&f, 0), domain, 0, &phys) == -EBUSY);

	iommu_device_unpreserve(old_dev(&f, 0));
	iommu_domain_unpreserve(domain);
	teardown_outgoing(&f);
}

/* Every page that is preserved on the way fails once, and nothing is left behind. */
static void test_no_memory(void)
{
	for (int fail_at = 1; !failed_at; fail_at++) {
		struct fixture f;
		int err, nr;

		if (!setup(&f, true))
			return;
		nr = mock_kho.nr;
		mock_kho.fail_at = mock_kho.total + fail_at;
		err = iommu_domain_preserve(&f.domain->domain, &f.domain_phys);
		if (!err) {
			err = iommu_device_preserve(old_dev(&f, 0), &f.domain->domain, 0, &f.device_phys[0]);
			if (!err)
				iommu_device_unpreserve(old_dev(&f, 0));
			iommu_domain_unpreserve(&f.domain->domain);
		}
		EXPECT(!err || err == -ENOMEM);
		EXPECT(mock_kho.nr <= nr + 3 && !mock_calls.preserved);
		teardown_outgoing(&f);
		if (!err) {
			/* Tables of the domain and three array pages. */
			EXPECT(fail_at == NR_MAPS + 3 + 3 + 1);
			return;
		}
	}
}

static void test_every_bit(void)
{
	struct iommu_lu_state state, probe;
	size_t sizes[IOMMU_LU_NR_ARRAYS + 1];
	void *pages[IOMMU_LU_NR_ARRAYS + 1];
	struct fixture f;
	const char *why;

	if (!setup(&f, false))
		return;
	preserve(&f);
	iommu_lu_outgoing_freeze(f.obj);
	mock_jump(true);
	EXPECT(!iommu_lu_verify(f.data, &state, &why));

	pages[0] = phys_to_virt(f.data);
	sizes[0] = sizeof(struct iommu_flb_ser) + sizeof(struct iommu_flb_check_ser);
	for (int i = 0; i < IOMMU_LU_NR_ARRAYS; i++) {
		struct iommu_array_hdr_ser *page = phys_to_virt(*state.arrays[i].headp);

		pages[i + 1] = page;
		sizes[i + 1] = sizeof(*page) + page->nr_objects * state.arrays[i].size;
	}
	for (int i = 0; i <= IOMMU_LU_NR_ARRAYS; i++) {
		for (size_t bit = 0; bit < sizes[i] * 8; bit++) {
			u8 *byte = pages[i] + bit / 8;

			*byte ^= BIT(bit % 8);
			why = NULL;
			EXPECT(iommu_lu_verify(f.data, &probe, &why) ==
			       (i == IOMMU_LU_DEVICE + 1 ? -EUCLEAN : -EINVAL));
			EXPECT(why);
			*byte ^= BIT(bit % 8);
		}
		mock_kho.lost = virt_to_phys(pages[i]);
		EXPECT(iommu_lu_verify(f.data, &probe, &why));
		mock_kho.lost = 0;
	}
	EXPECT(iommu_lu_verify(f.data + 8, &probe, &why) == -EINVAL);
	EXPECT(!iommu_lu_verify(f.data, &state, &why));

	mock_jump(false);
	for (int i = 1; i >= 0; i--)
		iommu_device_unpreserve(old_dev(&f, i));
	iommu_domain_unpreserve(&f.domain->domain);
	teardown_outgoing(&f);
}

static void test_taken(void)
{
	struct iommu_restored_info info;
	struct iommu_domain *domain;
	struct fixture f;

	if (!setup(&f, true))
		return;
	jump(&f);
	adopt(&f);
	EXPECT(iommu_domain_claim_restored(f.domain_phys) == ERR_PTR(-ENODEV));
	EXPECT(iommu_device_get_restored(new_dev(&f, 0), f.device_phys[0], &info) == -ENODEV);
	EXPECT(iommu_liveupdate_find(new_dev(&f, 0)) && iommu_liveupdate_find(new_dev(&f, 1)));
	domain = iommu_liveupdate_attach(new_dev(&f, 0), true);
	EXPECT(!IS_ERR(domain) && iommu_liveupdate_attach(new_dev(&f, 1), true) == domain);
	if (failed_at)
		return;
	EXPECT(!iommu_liveupdate_find(new_dev(&f, 0)) && iommu_device_is_restored(new_dev(&f, 0)));
	EXPECT(mock_calls.attached == 2 && mock_domain_maps(domain, true, NR_MAPS));

	EXPECT(iommu_device_get_restored(new_dev(&f, 0), f.device_phys[1], &info) == -EINVAL);
	EXPECT(!iommu_device_get_restored(new_dev(&f, 1), f.device_phys[1], &info));
	EXPECT(info.attachment_id == 101 && info.domain_phys == f.domain_phys && info.domain == domain);
	EXPECT(iommu_domain_claim_restored(f.domain_phys + 8) == ERR_PTR(-EINVAL));
	EXPECT(iommu_domain_claim_restored(f.domain_phys) == domain);
	EXPECT(iommu_domain_claim_restored(f.domain_phys) == ERR_PTR(-EBUSY));
	iommu_domain_unclaim_restored(domain);
	EXPECT(iommu_domain_claim_restored(f.domain_phys) == domain);

	for (int i = 0; i < 2; i++) {
		EXPECT(iommu_domain_restored_in_use(domain));
		iommu_liveupdate_taken(new_dev(&f, i));
		EXPECT(!iommu_device_is_restored(new_dev(&f, i)));
		iommu_device_finish_restored(new_dev(&f, i));
		EXPECT(f.next[i]->command & PCI_COMMAND_MASTER);
		EXPECT(iommu_device_get_restored(new_dev(&f, i), f.device_phys[i], &info) == -ENODEV);
	}
	EXPECT(!iommu_domain_restored_in_use(domain));
	iommu_lu_incoming_end(f.obj);
	EXPECT(!mock_calls.freed && iommu_domain_claim_restored(f.domain_phys) == ERR_PTR(-EINVAL));
	iommu_domain_free(domain);
	teardown(&f);
}

static void test_discarded(void)
{
	struct fixture f;

	if (!setup(&f, false))
		return;
	jump(&f);
	adopt(&f);
	for (int i = 0; i < 2; i++)
		EXPECT(!IS_ERR(iommu_liveupdate_attach(new_dev(&f, i), true)));
	iommu_device_discard_restored(new_dev(&f, 1));
	EXPECT(!(f.next[1]->command & PCI_COMMAND_MASTER) && (f.next[0]->command & PCI_COMMAND_MASTER));
	iommu_domain_discard_restored(f.domain_phys);
	EXPECT(!mock_calls.freed && iommu_domain_claim_restored(f.domain_phys) == ERR_PTR(-ENODEV));
	iommu_device_discard_restored(new_dev(&f, 0));
	EXPECT(mock_calls.freed == 1 && !(f.next[0]->command & PCI_COMMAND_MASTER));
	iommu_lu_incoming_end(f.obj);
	EXPECT(mock_calls.freed == 1);
	teardown(&f);
}

/* The files were finished without a word about device or domain. */
static void test_abandoned(void)
{
	struct fixture f;

	if (!setup(&f, false))
		return;
	jump(&f);
	adopt(&f);
	for (int i = 0; i < 2; i++)
		EXPECT(!IS_ERR(iommu_liveupdate_attach(new_dev(&f, i), true)));
	iommu_lu_incoming_end(f.obj);
	EXPECT(mock_calls.freed == 1);
	for (int i = 0; i < 2; i++)
		EXPECT(!(f.next[i]->command & PCI_COMMAND_MASTER) && !iommu_device_is_restored(new_dev(&f, i)));
	teardown(&f);
}

static void test_isolated(void)
{
	struct iommu_restored_info info;
	struct fixture f;

	if (!setup(&f, false))
		return;
	jump(&f);
	/* Its IOMMU is not adopted. */
	EXPECT(iommu_liveupdate_attach(new_dev(&f, 0), true) == ERR_PTR(-ENODEV));
	EXPECT(mock_calls.isolated == 1 && iommu_device_is_restored(new_dev(&f, 0)));
	EXPECT(!iommu_device_get_restored(new_dev(&f, 0), f.device_phys[0], &info) && !info.domain);
	adopt(&f);
	/* The driver finds something else in the hardware. */
	mock_calls.fail_attach = -EUCLEAN;
	EXPECT(iommu_liveupdate_attach(new_dev(&f, 1), true) == ERR_PTR(-EUCLEAN));
	EXPECT(mock_calls.isolated == 2 && !mock_calls.attached);
	EXPECT(iommu_domain_claim_restored(f.domain_phys) == ERR_PTR(-ENODEV));
	iommu_lu_incoming_end(f.obj);
	EXPECT(mock_calls.freed == 1);
	teardown(&f);
}

static void test_not_alone(void)
{
	struct fixture f;

	if (!setup(&f, false))
		return;
	jump(&f);
	adopt(&f);
	EXPECT(iommu_liveupdate_attach(new_dev(&f, 0), false) == ERR_PTR(-EXDEV));
	iommu_liveupdate_isolate(MOCK_SEGMENT, PCI_DEVID(3, 1), "the test wants it");
	EXPECT(iommu_liveupdate_attach(new_dev(&f, 1), true) == ERR_PTR(-EUCLEAN));
	EXPECT(mock_calls.isolated == 2);
	/* Nobody restored the domain, so its pages are nobody's. */
	EXPECT(mock_kho.nr == NR_MAPS + 2);
	iommu_lu_incoming_end(f.obj);
	for (int i = 0; i < 2; i++) {
		mock_device_free(f.devices[i]);
		mock_device_free(f.next[i]);
	}
	EXPECT(mock_end() == NR_MAPS + 2);
}

#define NOTE_HEAD	LIVEUPDATE_NOTE_MAGIC "\0release=7.3.4-x\0"
#define NOTE_TAIL	"takes=this-v1\0later=\0takes=that-v2\0"
#define NOTE		NOTE_HEAD "parameters=\0" NOTE_TAIL
#define ON		"kho=on liveupdate=on intel_iommu=on"

/* Has @cmdline everything, or what does it lack? */
static const char *parse_note(struct liveupdate_note *note, const char *setup, size_t len, const char *cmdline)
{
	memset(note, 0xff, sizeof(*note));
	EXPECT(!iommu_lu_note_parse(note, setup, len, cmdline, strlen(cmdline) + 1));
	return note->lacks ?: "nothing";
}

static void test_notes(void)
{
	static const char whole[] = "setup\xff code" NOTE "\0more code";
	static const char other_version[] = LIVEUPDATE_NOTE_MAGIC "0\0release=7.3.4-x\0";
	struct liveupdate_note *note __free(kfree) = kmalloc_obj(*note);
	const size_t begin = sizeof("setup\xff code") - 1, end = begin + sizeof(NOTE);

	EXPECT(note);
	if (!note)
		return;
	parse_note(note, whole, sizeof(whole), "");
	EXPECT(iommu_lu_note_release(note) && !strcmp(iommu_lu_note_release(note), "7.3.4-x"));
	EXPECT(iommu_lu_note_takes(note, "this-v1") && iommu_lu_note_takes(note, "that-v2"));
	EXPECT(!iommu_lu_note_takes(note, "that-v") && !iommu_lu_note_takes(note, "that-v20"));
	EXPECT(!iommu_lu_note_takes(note, "") && !iommu_lu_note_takes(note, "more code"));

	/* Cut off anywhere it is none. The memory ends where the setup does. */
	for (size_t len = 0; len <= end; len++) {
		char *setup __free(kfree) = kmemdup(whole, len, GFP_KERNEL);

		EXPECT(setup);
		if (!setup)
			return;
		parse_note(note, setup, len, "");
		EXPECT((iommu_lu_note_release(note) != NULL) == (len == end));
		EXPECT(iommu_lu_note_takes(note, "this-v1") == (len == end));
	}
	parse_note(note, other_version, sizeof(other_version), "");
	EXPECT(!iommu_lu_note_release(note));
}

static void test_note_length(void)
{
	struct liveupdate_note *note __free(kfree) = kmalloc_obj(*note);
	const size_t head = sizeof(NOTE_HEAD) - 1;
	const size_t room = LIVEUPDATE_NOTE_MAX - (head - sizeof(LIVEUPDATE_NOTE_MAGIC));
	char *setup __free(kfree) = kmalloc(head + room + 1, GFP_KERNEL);

	EXPECT(note && setup);
	if (failed_at)
		return;
	/* As long as can be, and one byte longer. */
	for (size_t more = 0; more < 2; more++) {
		memcpy(setup, NOTE_HEAD, head);
		memset(setup + head, 'x', room + more - 2);
		memset(setup + head + room + more - 2, 0, 2);
		parse_note(note, setup, head + room + more, "");
		EXPECT((iommu_lu_note_release(note) != NULL) == !more);
	}
}

static void test_parameters(void)
{
	static const struct {
		const char *cmdline;
		const char *lacks;
	} cases[] = {
		{ ON, "nothing" },
		{ "", "kho=on" },
		{ "kho=1 liveupdate=y intel_iommu=sm_on,on,strict iommu=pt", "nothing" },
		{ "liveupdate=on intel_iommu=on", "kho=on" },
		{ ON " kho=off", "kho=on" },
		{ "kho=on intel_iommu=on", "liveupdate=on" },
		{ ON " liveupdate=0", "liveupdate=on" },
		{ ON " liveupdate=0 liveupdate=on", "nothing" },
		{ ON " liveupdate liveupdate=maybe", "nothing" },
		{ "kho=on intel_iommu=on -- liveupdate=on", "liveupdate=on" },
		{ "kho=on intel_iommu=on x=\"liveupdate=on\"", "liveupdate=on" },
		{ "kho=on liveupdate=on", "intel_iommu=on" },
		{ "kho=on liveupdate=on intel-iommu=on", "nothing" },
		{ "kho=on liveupdate=on intel_iommu=sm_on,igfx_off", "intel_iommu=on" },
		{ ON " intel_iommu=strict,off", "intel_iommu=on" },
		{ ON " iommu=pt,off", "an IOMMU, because of iommu=off" },
	};
	static const char built_in[] = NOTE_HEAD "parameters=" ON "\0";
	static const char only_built_in[] = NOTE_HEAD "parameters=kho=on --\0";
	struct liveupdate_note *note __free(kfree) = kmalloc_obj(*note);

	EXPECT(note);
	if (!note)
		return;
	for (int i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *lacks = parse_note(note, NOTE, sizeof(NOTE), cases[i].cmdline);

		EXPECT(!strcmp(lacks, cases[i].lacks));
		if (failed_at) {
			pr_info("# '%s' lacks %s\n", cases[i].cmdline, lacks);
			return;
		}
	}
	EXPECT(!strcmp(parse_note(note, built_in, sizeof(built_in), ""), "nothing"));
	EXPECT(!strcmp(parse_note(note, built_in, sizeof(built_in), "kho=off"), "kho=on"));
	EXPECT(!strcmp(parse_note(note, only_built_in, sizeof(only_built_in), ON), "liveupdate=on"));
}

/* Records of devices that cannot be believed: what the IOMMU's tables have is held, and nothing else is touched. */
static void test_unknown(void)
{
	struct iommu_lu_state state;
	struct fixture f;
	u8 *page;

	if (!setup(&f, false))
		return;
	preserve(&f);
	iommu_lu_outgoing_freeze(f.obj);
	iommu_lu_state_init(&state, phys_to_virt(f.data));
	page = phys_to_virt(*state.arrays[IOMMU_LU_DEVICE].headp);
	page[sizeof(struct iommu_array_hdr_ser)] ^= 1;
	iommu_lu_outgoing_forget();
	mock_domain_forget(f.domain);
	mock_jump(true);
	EXPECT(!iommu_lu_incoming_begin(f.data, &f.obj));

	EXPECT(!iommu_liveupdate_find(new_dev(&f, 0)));
	iommu_liveupdate_isolate(MOCK_SEGMENT, PCI_DEVID(3, 0), "the test wants it");
	EXPECT(iommu_liveupdate_find(new_dev(&f, 0)) && !iommu_liveupdate_find(new_dev(&f, 1)));
	EXPECT(iommu_liveupdate_attach(new_dev(&f, 0), true) == ERR_PTR(-EUCLEAN));
	EXPECT(mock_calls.isolated == 1 && iommu_device_is_restored(new_dev(&f, 0)));
	iommu_device_discard_restored(new_dev(&f, 1));
	EXPECT(f.next[1]->command & PCI_COMMAND_MASTER);
	iommu_device_discard_restored(new_dev(&f, 0));
	EXPECT(!iommu_device_is_restored(new_dev(&f, 0)) && !(f.next[0]->command & PCI_COMMAND_MASTER));
	iommu_lu_incoming_end(f.obj);
	for (int i = 0; i < 2; i++) {
		mock_device_free(f.devices[i]);
		mock_device_free(f.next[i]);
	}
	/* The pages of the domain and that of the records */
	EXPECT(mock_end() == NR_MAPS + 2 + 1);
}

static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{ "arrays grow, and reuse what is deleted", test_arrays },
	{ "second-stage page tables come back", test_tables_ss },
	{ "first-stage page tables come back", test_tables_fs },
	{ "tables that are not as they were do not come back", test_tables_changed },
	{ "preserve and unpreserve leave no trace", test_undo },
	{ "what cannot be restored is refused", test_refused },
	{ "memory runs out at each page", test_no_memory },
	{ "every damaged bit is seen", test_every_bit },
	{ "devices and domain are taken over", test_taken },
	{ "devices and domain are discarded", test_discarded },
	{ "devices and domain are abandoned", test_abandoned },
	{ "devices whose attachment is not as it was are isolated", test_isolated },
	{ "devices that share a group, or are bad, are isolated", test_not_alone },
	{ "devices without a record are isolated and held", test_unknown },
	{ "the note of an image is read, and nothing beyond its setup code", test_notes },
	{ "the note of an image may have a certain length", test_note_length },
	{ "what a kernel would boot without is seen", test_parameters },
};

/* In the order of enum iommu_lu_array_id, then what is no array. */
static const char * const damage_names[] = { "iommu", "domain", "device", "flb", "table" };
static unsigned int damage_what, damage_byte, damage_bit;

static int damage_parse(void)
{
	size_t len = strcspn(damage, ":");

	for (damage_what = 0; damage_what < ARRAY_SIZE(damage_names); damage_what++) {
		if (strlen(damage_names[damage_what]) == len && !strncmp(damage, damage_names[damage_what], len))
			break;
	}
	if (damage_what == ARRAY_SIZE(damage_names) ||
	    sscanf(damage + len, ":%u:%u", &damage_byte, &damage_bit) != 2 || damage_byte >= PAGE_SIZE || damage_bit > 7)
		return -EINVAL;
	return 0;
}

static void damage_state(struct iommu_lu_state *state)
{
	struct iommu_array_hdr_ser *page = phys_to_virt(*state->arrays[IOMMU_LU_DOMAIN].headp);
	struct iommu_domain_ser *domain = iommu_lu_objects(page);
	u8 *target;

	if (!strcmp(damage_names[damage_what], "flb"))
		target = (u8 *)state->ser;
	else if (!strcmp(damage_names[damage_what], "table"))
		target = phys_to_virt(domain->top_table_phys);
	else
		target = phys_to_virt(*state->arrays[damage_what].headp);
	target[damage_byte] ^= BIT(damage_bit);
}

static struct iommu_lu_test_ops damage_ops;

/* What happens to real updates, with tests out of the way. */
static int set_damage(void)
{
	if (damage) {
		if (damage_parse())
			return -EINVAL;
		damage_ops.frozen = damage_state;
	}
	damage_ops.jumps_anywhere = jumps_anywhere;
	iommu_lu_test = &damage_ops;
	return 0;
}

static int __init test_init(void)
{
	int nr_failed = 0;

	if (damage || jumps_anywhere)
		return set_damage();

	pr_info("1..%zu\n", ARRAY_SIZE(tests));
	for (int i = 0; i < ARRAY_SIZE(tests); i++) {
		failed_at = 0;
		tests[i].fn();
		nr_failed += !!failed_at;
		pr_info("%s %d - %s\n", failed_at ? "not ok" : "ok", i + 1, tests[i].name);
	}
	return nr_failed ? -EINVAL : 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	iommu_lu_test = NULL;
}
module_exit(test_exit);

MODULE_DESCRIPTION("Unit tests of IOMMU live update");
MODULE_LICENSE("GPL");
