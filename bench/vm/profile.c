// SPDX-License-Identifier: MIT
/*
 * profile SECONDS [LINES]: where the kernel's time goes: samples the instruction pointer of every processor a thousand
 * times a second (perf_event_open(2), the software clock), and prints the functions that were met most, with their share
 * of all samples that were not idle, and who called them (past the allocators). For a guest: no library, no symbols but
 * /proc/kallsyms.
 */
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES 4096 /* a power of two */
#define CALLERS 6

struct symbol {
	uint64_t at;
	unsigned long met;
	unsigned long of[CALLERS];
	uint64_t caller[CALLERS];
	char name[64];
};

static struct symbol *symbols;
static size_t count;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_samples(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->met > y->met ? -1 : x->met < y->met;
}

static void read_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], type;
	size_t room = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long at;
		char name[256];

		if (sscanf(line, "%llx %c %255s", &at, &type, name) != 3 || (type | 32) != 't')
			continue;
		if (count == room) {
			room = room ? room * 2 : 65536;
			symbols = realloc(symbols, room * sizeof(*symbols));
			if (!symbols)
				exit(1);
		}
		memset(&symbols[count], 0, sizeof(symbols[count]));
		symbols[count].at = at;
		snprintf(symbols[count++].name, sizeof(symbols->name), "%.63s", name);
	}
	if (!count || !symbols[count - 1].at) {
		fprintf(stderr, "no addresses in /proc/kallsyms\n");
		exit(1);
	}
	fclose(file);
	qsort(symbols, count, sizeof(*symbols), by_address);
}

static struct symbol *find(uint64_t at)
{
	size_t low = 0, high = count;

	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (symbols[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return &symbols[low];
}

/* Callers beyond the first few kinds are not told apart. */
static void meet(uint64_t at, uint64_t caller)
{
	struct symbol *symbol = find(at);
	int i;

	++symbol->met;
	caller = caller ? find(caller)->at : 0;
	for (i = 0; i < CALLERS - 1 && symbol->of[i] && symbol->caller[i] != caller; ++i)
		;
	symbol->caller[i] = caller;
	++symbol->of[i];
}

/* The kernel's allocators, by the beginnings of their names: who asked them says more than which of them it was. */
static bool is_allocator(const char *name)
{
	static const char *const beginnings[] = { "kmem_cache_alloc", "__kmem_cache_alloc", "__kmalloc", "kmalloc_", "___slab",
		"__slab_alloc", "allocate_slab", "new_slab", "get_page_from", "__alloc_pages", "alloc_pages", "__folio_alloc",
		"page_frag_alloc", "skb_page_frag", "__page_frag", "__alloc_skb", "__napi_alloc", "__netdev_alloc" };
	size_t i;

	for (i = 0; i < sizeof(beginnings) / sizeof(*beginnings); ++i)
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

static const char *name_of(uint64_t at)
{
	size_t i;

	for (i = 0; i < count; ++i)
		if (symbols[i].at == at)
			return symbols[i].name;
	return "?";
}

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000, /* ns */
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_CALLCHAIN,
		.exclude_callchain_user = 1,
		.disabled = 1,
	};
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN), page = sysconf(_SC_PAGESIZE);
	unsigned long kernel = 0, user = 0, idle = 0;
	int at;
	size_t lines = argc > 2 ? strtoul(argv[2], NULL, 10) : 40, i;
	void *rings[64];
	int fds[64], cpu;

	if (argc < 2 || cpus > 64)
		return 2;
	for (cpu = 0; cpu < cpus; ++cpu) {
		fds[cpu] = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
		if (fds[cpu] < 0) {
			perror("perf_event_open");
			return 1;
		}
		rings[cpu] = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, fds[cpu], 0);
		if (rings[cpu] == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
	}
	for (cpu = 0; cpu < cpus; ++cpu)
		ioctl(fds[cpu], PERF_EVENT_IOC_ENABLE, 0);
	sleep(strtoul(argv[1], NULL, 10));
	for (cpu = 0; cpu < cpus; ++cpu)
		ioctl(fds[cpu], PERF_EVENT_IOC_DISABLE, 0);
	read_symbols(); /* only now: on an emulated processor it takes a second */
	for (cpu = 0; cpu < cpus; ++cpu) {
		const struct perf_event_mmap_page *head = rings[cpu];
		const uint8_t *data = (uint8_t *)rings[cpu] + page;
		uint64_t at = 0;

		/* The rings are larger than what is sampled: nothing wraps around. */
		while (at < head->data_head) {
			const struct perf_event_header *record = (const void *)(data + at % (PAGES * page));
			const uint64_t *sample = (const uint64_t *)(record + 1); /* ip, length of the chain, chain */
			uint64_t caller = 0;

			if (record->type == PERF_RECORD_SAMPLE && (record->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER) {
				++user;
			} else if (record->type == PERF_RECORD_SAMPLE) {
				/* The chain: a mark of its context, the function itself, its caller. */
				uint64_t depth;

				for (depth = 2; depth < sample[1]; ++depth) {
					caller = sample[2 + depth];
					if (!is_allocator(find(caller)->name))
						break;
				}
				meet(sample[0], caller);
				++kernel;
			}
			at += record->size;
		}
	}
	qsort(symbols, count, sizeof(*symbols), by_samples);
	for (i = 0; i < count; ++i)
		if (strstr(symbols[i].name, "idle") || strstr(symbols[i].name, "halt"))
			idle += symbols[i].met;
	printf("PROFILE %lu samples in the kernel, %lu of them idle, %lu outside\n", kernel, idle, user);
	for (i = 0; i < lines && i < count && symbols[i].met; ++i) {
		printf("PROFILE %6.2f %% %s <-", 100.0 * symbols[i].met / (kernel - idle + user), symbols[i].name);
		for (at = 0; at < CALLERS && symbols[i].of[at]; ++at)
			printf(" %s %lu", symbols[i].caller[at] ? name_of(symbols[i].caller[at]) : "?", symbols[i].of[at]);
		printf("\n");
	}
	return 0;
}
