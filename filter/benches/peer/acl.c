/*
 * DPDK's librte_acl over the rule sets and traces that the classifier's own bench reads: thread
 * CPU time a header, one header a call and batched, for every method this CPU has.
 *
 *   acl FOLDER NAME [ROUNDS]      (plain files NAME.rules and NAME.trace in FOLDER)
 *
 * Prints one line: name, build ms, MiB, single ns, then METHOD=ns for each method (best batch of
 * 32 and 256), wrong answers. Rounds of all candidates are interleaved, the first is left out,
 * the median is printed.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_acl.h>
#include <rte_eal.h>
#include <rte_malloc.h>

struct key {
	uint8_t proto;
	uint8_t pad[3];
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
};

#define OFF(m) offsetof(struct key, m)
static const struct rte_acl_field_def v4[] = {
	{ RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, OFF(proto) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, OFF(src) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, OFF(dst) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, OFF(sport) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, OFF(dport) },
};
static const struct rte_acl_field_def v6[] = {
	{ RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, OFF(proto) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, OFF(src) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, OFF(src) + 4 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 3, 3, OFF(src) + 8 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 4, 4, OFF(src) + 12 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 5, 5, OFF(dst) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 6, 6, OFF(dst) + 4 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 7, 7, OFF(dst) + 8 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 8, 8, OFF(dst) + 12 },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 9, 9, OFF(sport) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 10, 9, OFF(dport) },
};
RTE_ACL_RULE_DEF(rule, RTE_DIM(v6));

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *t, int n)
{
	qsort(t, n, sizeof(*t), by_value);
	return t[n / 2];
}

static size_t heap(void)
{
	struct rte_malloc_socket_stats s;
	return rte_malloc_get_socket_stats(0, &s) == 0 ? s.heap_allocsz_bytes : 0;
}

static FILE *open_set(const char *folder, const char *name, const char *kind)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s.%s", folder, name, kind);
	FILE *f = fopen(path, "r");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void mask(struct rte_acl_field *f, int is6, const char *text, int len)
{
	uint8_t a[16] = { 0 };
	if (inet_pton(is6 ? AF_INET6 : AF_INET, text, a) != 1)
		exit(2);
	for (int i = 0; i < (is6 ? 4 : 1); i++) {
		uint32_t w;
		memcpy(&w, a + 4 * i, 4);
		int bits = len - 32 * i;
		f[i].value.u32 = ntohl(w);
		f[i].mask_range.u32 = bits < 0 ? 0 : bits > 32 ? 32 : bits;
	}
}

int main(int argc, char **argv)
{
	char *eal[] = { "acl", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf", "-m", "3072",
			"-l", "0", "--log-level", "critical",
			"--force-max-simd-bitwidth=512", NULL };
	if (argc < 3 || rte_eal_init(RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	/* The EAL pins the thread; it must run where it may, as its rival does. */
	cpu_set_t all;
	CPU_ZERO(&all);
	for (int i = 0; i < 64; i++)
		CPU_SET(i, &all);
	pthread_setaffinity_np(pthread_self(), sizeof(all), &all);

	const char *folder = argv[1], *name = argv[2];
	int rounds = argc > 3 ? atoi(argv[3]) : 9;
	int is6 = strstr(name, "v6") != NULL;
	int fields = is6 ? RTE_DIM(v6) : RTE_DIM(v4);
	char line[512];

	struct rte_acl_param param = { .name = "peer", .socket_id = -1,
		.rule_size = RTE_ACL_RULE_SZ(fields), .max_rule_num = 200000 };
	struct rte_acl_ctx *ctx = rte_acl_create(&param);
	if (!ctx)
		return 1;
	FILE *f = open_set(folder, name, "rules");
	int n = 0;
	while (fgets(line, sizeof(line), f)) {
		char s[64], d[64];
		int sl, dl, slo, shi, dlo, dhi, p, pm;
		if (sscanf(line, "@%63[^/]/%d %63[^/]/%d %d : %d %d : %d %x/%x", s, &sl, d, &dl, &slo,
			   &shi, &dlo, &dhi, (unsigned *)&p, (unsigned *)&pm) != 10)
			return 2;
		struct rule r;
		memset(&r, 0, sizeof(r));
		r.data.category_mask = 1;
		r.data.priority = RTE_ACL_MAX_PRIORITY - n;
		r.data.userdata = ++n;
		r.field[0].value.u8 = p;
		r.field[0].mask_range.u8 = pm;
		mask(r.field + 1, is6, s, sl);
		mask(r.field + (is6 ? 5 : 2), is6, d, dl);
		int port = is6 ? 9 : 3;
		r.field[port].value.u16 = slo;
		r.field[port].mask_range.u16 = shi;
		r.field[port + 1].value.u16 = dlo;
		r.field[port + 1].mask_range.u16 = dhi;
		if (rte_acl_add_rules(ctx, (struct rte_acl_rule *)&r, 1) != 0)
			return 3;
	}
	fclose(f);

	static struct key keys[60000];
	static const uint8_t *data[60000];
	static uint32_t expect[60000], out[60000];
	int h = 0;
	f = open_set(folder, name, "trace");
	while (h < 60000 && fgets(line, sizeof(line), f)) {
		char s[64], d[64];
		int sp, dp, p, z, m;
		if (sscanf(line, "%63s %63s %d %d %d %d %d", s, d, &sp, &dp, &p, &z, &m) != 7)
			return 2;
		struct key *k = &keys[h];
		if (is6) {
			inet_pton(AF_INET6, s, k->src);
			inet_pton(AF_INET6, d, k->dst);
		} else {
			uint32_t a = htonl(strtoul(s, NULL, 10)), b = htonl(strtoul(d, NULL, 10));
			memcpy(k->src, &a, 4);
			memcpy(k->dst, &b, 4);
		}
		k->sport = htons(sp);
		k->dport = htons(dp);
		k->proto = p;
		data[h] = (const uint8_t *)k;
		expect[h++] = m + 1;
	}
	fclose(f);

	struct rte_acl_config config = { .num_categories = 1, .num_fields = fields, .max_size = 0 };
	memcpy(config.defs, is6 ? v6 : v4, fields * sizeof(*v4));
	size_t before = heap();
	double start = now();
	if (rte_acl_build(ctx, &config) != 0)
		return 4;
	double build = (now() - start) / 1e6;
	double mib = (heap() - before) / 1048576.0;

	static const struct { const char *name; enum rte_acl_classify_alg alg; } methods[] = {
		{ "scalar", RTE_ACL_CLASSIFY_SCALAR }, { "sse", RTE_ACL_CLASSIFY_SSE },
		{ "avx2", RTE_ACL_CLASSIFY_AVX2 }, { "avx512x16", RTE_ACL_CLASSIFY_AVX512X16 },
		{ "avx512x32", RTE_ACL_CLASSIFY_AVX512X32 },
	};
	static const int batches[] = { 1, 32, 256 };
	enum { M = RTE_DIM(methods), B = RTE_DIM(batches) };
	static double times[M][B][256];
	int has[M], wrong = 0;
	if (rounds > 256)
		rounds = 256;
	for (int m = 0; m < M; m++)
		has[m] = rte_acl_set_ctx_classify(ctx, methods[m].alg) == 0;
	for (int round = -1; round < rounds; round++)
		for (int m = 0; m < M; m++) {
			if (!has[m])
				continue;
			rte_acl_set_ctx_classify(ctx, methods[m].alg);
			for (int b = 0; b < B; b++) {
				int step = batches[b];
				start = now();
				for (int i = 0; i < h; i += step)
					rte_acl_classify(ctx, data + i, out + i, h - i < step ? h - i : step, 1);
				double took = (now() - start) / h;
				if (round >= 0)
					times[m][b][round] = took;
				else
					for (int i = 0; i < h; i++)
						wrong += out[i] != expect[i];
			}
		}

	double single = 1e9;
	double best[M];
	for (int m = 0; m < M; m++) {
		best[m] = 0;
		if (!has[m])
			continue;
		double one = median(times[m][0], rounds);
		single = one < single ? one : single;
		double x = median(times[m][1], rounds), y = median(times[m][2], rounds);
		best[m] = x < y ? x : y;
	}
	printf("%s build_ms=%.1f mib=%.2f single=%.1f", name, build, mib, single);
	for (int m = 0; m < M; m++)
		if (has[m])
			printf(" %s=%.1f", methods[m].name, best[m]);
	printf(" wrong=%d\n", wrong);
	return 0;
}
