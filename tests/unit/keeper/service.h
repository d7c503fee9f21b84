/*
 * service.h - a service that is driven by hand: clock, packets and all.
 *
 *	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
 *	service_flow(&s, 50000);        one connection, of FLOW_PACKETS packets, now
 *	service_go(&s, 60);             a minute goes by, in steps
 *	service_settle(&s);             a checkpoint is on disk
 *	service_stop(&s);
 *	service_close(&s);
 *	report_number(path, "capture.packets")
 */
#ifndef TESTS_KEEPER_SERVICE_H
#define TESTS_KEEPER_SERVICE_H

#include "../audit/pipeline.h"
#include "../finding/world.h"

#include <time.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/json.h"
#include "lyncaudit/keeper.h"
#include "lyncaudit/text.h"

enum { FLOW_PACKETS = 5, SERVICE_REPORTS = 64, WAIT_MS = 60000 };

struct service {
	struct lya_keeper *keeper;
	struct lya_audit *audit;
	struct lya_site *site; /* in force */
	struct lya_keeper_clock clock;
	struct lya_source source;
	struct pipe pipe; /* for its frames */
	uint64_t packets; /* sent */
	char reports[SERVICE_REPORTS][128];
	size_t n_reports;
	struct lya_text messages;
	uint64_t views, view_packets;
	const char *folder;
	unsigned proofs_failed;
	bool reloaded; /* so the last proof said */
};

/* The allocation that fails, counted from where a keeper is opened; 0: none. */
static uint64_t service_fail_at;
static unsigned service_report_s; /* when a night ends */
static bool service_proves;       /* packets that prove findings are kept, */
static unsigned service_proof_failures; /* and so many times they cannot be written */

static inline int64_t utc(int year, int month, int day, int hour, int minute)
{
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day,
			 .tm_hour = hour,
			 .tm_min = minute };

	return (int64_t)timegm(&tm) * LYA_SECOND_NS;
}

static inline struct lya_keeper_policy service_policy(const char *site_text)
{
	struct world w;

	world_open(&w, site_text);
	return (struct lya_keeper_policy){ .rules = w.rules, .site = w.site, .policy = w.policy };
}

static inline void service_on_report(void *ctx, const char *path, enum lya_report_verdict verdict)
{
	struct service *s = ctx;

	(void)verdict;
	if (s->n_reports < SERVICE_REPORTS)
		(void)snprintf(s->reports[s->n_reports++], sizeof(s->reports[0]), "%s", path);
}

static inline void service_on_message(void *ctx, enum lya_keeper_level level, const char *text)
{
	struct service *s = ctx;

	lya_text_addf(&s->messages, "%s%s\n", level == LYA_KEEPER_WARNING ? "warning: " : "", text);
}

/* FOLDER/proof-NAME */
static inline int service_on_proof(void *ctx, const struct lya_keeper_proof *proof,
				   struct lya_error *err)
{
	struct service *s = ctx;
	struct lya_finding_packets total;
	struct lya_output *out;
	char path[256];
	int rc;

	s->reloaded = proof->reloaded;
	if (s->proofs_failed < service_proof_failures) {
		s->proofs_failed++;
		return lya_error_set(err, LYA_EOUTPUT, "proof", NULL, "there is no room");
	}
	(void)snprintf(path, sizeof(path), "%s/proof-%s", s->folder, proof->name);
	rc = lya_output_open(&out, path, false, err);
	if (rc == LYA_OK)
		rc = lya_keeper_proof_write(proof, out, &total, err);
	return rc == LYA_OK ? lya_output_commit(out, err) : rc;
}

static inline void service_on_view(void *ctx, const struct lya_keeper_view *view)
{
	struct service *s = ctx;

	s->views++;
	s->view_packets = 0;
	for (size_t i = 0; i < view->report->n_sources; i++)
		s->view_packets += view->report->sources[i].packets;
}

static inline int service_try_open(struct service *s, const char *folder, int64_t time_ns,
				   const char *site_text, struct lya_error *err)
{
	struct lya_audit_options audit = { .continuous = true,
					   .evidence = service_proves,
					   .max_memory = (size_t)32 << 20 };
	struct lya_keeper_options options = { .state_dir = folder,
					      .sensor = "span-1",
					      .version = "test",
					      .report_s = service_report_s,
					      .fail_on = LYA_SEVERITY_LOW,
					      .max_memory = audit.max_memory,
					      .on_view = service_on_view,
					      .on_report = service_on_report,
					      .on_proof = service_proves ? service_on_proof : NULL,
					      .on_message = service_on_message,
					      .ctx = s };
	struct lya_keeper_policy policy = service_policy(site_text);
	static char name[] = "eth1", kind[] = "interface";
	int rc;

	memset(s, 0, sizeof(*s));
	s->folder = folder;
	s->site = policy.site;
	s->source = (struct lya_source){ .name = name,
					 .kind = kind,
					 .first_ns = LYA_TIME_NONE,
					 .last_ns = LYA_TIME_NONE,
					 .digits = 6 };
	s->clock = (struct lya_keeper_clock){ time_ns, time_ns, INT64_C(1) << 40, false };
	s->pipe.next_id = 1000;
	assert_int_equal(lya_audit_new(&s->audit, policy.policy, &audit, NULL), LYA_OK);
	lya_alloc_fail_at(service_fail_at);
	rc = lya_keeper_open(&s->keeper, s->audit, &policy, &options, &s->clock, err);
	if (rc != LYA_OK) {
		lya_policy_free(policy.policy);
		lya_site_free(policy.site);
		lya_rules_free(policy.rules);
	}
	return rc;
}

static inline void service_open(struct service *s, const char *folder, int64_t time_ns,
				const char *site_text)
{
	struct lya_error err = { 0 };

	if (service_try_open(s, folder, time_ns, site_text, &err) != LYA_OK)
		fail_msg("%s", err.text);
}

/* What is not written is lost, as by a kill. */
static inline void service_close(struct service *s)
{
	lya_keeper_free(s->keeper);
	lya_audit_free(s->audit);
	lya_text_fini(&s->messages);
}

static inline unsigned service_step(struct service *s)
{
	struct lya_error err = { 0 };
	unsigned wait_ms;

	if (lya_keeper_step(s->keeper, &s->clock, &s->source, 1, &wait_ms, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return wait_ms;
}

/* The clock goes on by so many seconds, in one go, and what is then due is done. */
static inline void service_leap(struct service *s, int64_t seconds)
{
	s->clock.time_ns += seconds * LYA_SECOND_NS;
	s->clock.wall_ns += seconds * LYA_SECOND_NS;
	s->clock.mono_ns += seconds * LYA_SECOND_NS;
	while (service_step(s) == 0)
		;
}

static inline void service_go(struct service *s, int64_t seconds)
{
	for (; seconds > 0; seconds -= 600)
		service_leap(s, seconds < 600 ? seconds : 600);
}

/* Wait for the book. */
static inline struct lya_keeper_status service_wait(struct service *s)
{
	struct lya_keeper_status status;

	for (unsigned i = 0; i < WAIT_MS; i++) {
		lya_keeper_status(s->keeper, &status);
		if (status.waiting == 0)
			break;
		(void)usleep(1000);
	}
	return status;
}

/* Everything up to now is on disk. */
static inline void service_settle(struct service *s)
{
	struct lya_keeper_status status;

	service_leap(s, 5);
	(void)service_wait(s);
	service_leap(s, 5);
	status = service_wait(s);
	assert_int_equal(status.waiting, 0);
	assert_false(status.suspended);
	assert_int_equal(status.committed_ns, s->clock.time_ns);
}

static inline void service_send(struct service *s, int64_t time_ns, const struct segment *segment)
{
	uint8_t bytes[PIPE_FRAME];
	struct lya_frame frame = { .time_ns = time_ns,
				   .number = s->packets + 1,
				   .data = bytes,
				   .link = LYA_LINK_ETHERNET,
				   .digits = 6 };
	struct lya_error err = { 0 };

	frame.caplen = frame.wirelen = (uint32_t)pipe_frame(&s->pipe, segment, bytes);
	s->packets++;
	s->source.packets++;
	s->source.bytes += frame.wirelen;
	s->source.last_ns = time_ns;
	s->source.links[0] = LYA_LINK_ETHERNET;
	s->source.n_links = 1;
	if (lya_keeper_take(s->keeper, &frame, 1, &s->source, 1, &err) != LYA_OK)
		fail_msg("%s", err.text);
}

/* One packet of a connection that began long ago: side 0 is the client. */
static inline void service_packet(struct service *s, uint16_t sport, unsigned side, uint8_t flags,
				  uint32_t seq, uint32_t ack)
{
	struct segment segment = { .src = side == 0 ? CLIENT : FRONT_END,
				   .dst = side == 0 ? FRONT_END : CLIENT,
				   .sport = side == 0 ? sport : 4443,
				   .dport = side == 0 ? 4443 : sport,
				   .flags = flags,
				   .seq = seq,
				   .ack = ack };

	service_send(s, s->clock.time_ns, &segment);
}

static inline void service_begin_flow(struct service *s, uint16_t sport)
{
	service_packet(s, sport, 0, SYN, 100, 0);
	service_packet(s, sport, 1, SYN | ACK, 500, 101);
	service_packet(s, sport, 0, ACK, 101, 501);
}

static inline void service_end_flow(struct service *s, uint16_t sport)
{
	service_packet(s, sport, 0, FIN | ACK, 101, 501);
	service_packet(s, sport, 1, RST, 501, 102);
}

static inline void service_flow(struct service *s, uint16_t sport)
{
	service_begin_flow(s, sport);
	service_end_flow(s, sport);
}

static inline void service_stop(struct service *s)
{
	struct lya_error err = { 0 };

	if (lya_keeper_stop(s->keeper, &s->clock, &s->source, 1, WAIT_MS, &err) != LYA_OK)
		fail_msg("%s", err.text);
}

/* The report of a night again, as text; 0, or why there is none. */
static inline int service_make(const char *folder, const char *night, struct lya_text *text,
			       struct lya_error *err)
{
	struct lya_report_run run = { .version = "another", .started_ns = 1, .finished_ns = 2 };
	struct lya_output *out;
	int rc = lya_output_open_text(&out, text, err);

	if (rc != LYA_OK)
		return rc;
	rc = lya_keeper_make(folder, night, &run, out, err);
	if (rc == LYA_OK)
		return lya_output_commit(out, err);
	lya_output_abort(out);
	return rc;
}

/* Reports ------------------------------------------------------------------------------------ */

/* Walk "a.b.2.c" from the root of a report, and hand what is there to fn. */
static inline void report_at(const char *path, const char *place,
			     void (*fn)(void *ctx, const struct lya_json *at), void *ctx)
{
	struct lya_json steps[8];
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_json_doc *doc;
	char words[128], *word, *rest;
	size_t depth = 0;

	if (lya_json_load(&doc, path, &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	steps[0] = lya_json_root(doc);
	(void)snprintf(words, sizeof(words), "%s", place);
	for (word = strtok_r(words, ".", &rest); word != NULL; word = strtok_r(NULL, ".", &rest)) {
		assert_true(depth < 7);
		if (word[0] >= '0' && word[0] <= '9')
			steps[depth + 1] = lya_json_at(&steps[depth], (size_t)atoi(word));
		else if (!lya_json_find(&steps[depth], word, &steps[depth + 1]))
			fail_msg("%s: there is no %s", path, place);
		depth++;
	}
	fn(ctx, &steps[depth]);
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

static inline void report_take_number(void *ctx, const struct lya_json *at)
{
	int64_t *n = ctx;

	assert_true(lya_json_int(at, INT64_MIN, INT64_MAX, n));
}

static inline int64_t report_number(const char *path, const char *place)
{
	int64_t n = -1;

	report_at(path, place, report_take_number, &n);
	return n;
}

static inline void report_take_text(void *ctx, const struct lya_json *at)
{
	const char *s;

	if (lya_json_is_null(at))
		s = "null";
	else
		assert_true(lya_json_string(at, &s));
	(void)snprintf(ctx, 512, "%s", s);
}

/* Valid until the next but three. */
static inline const char *report_text_at(const char *path, const char *place)
{
	static char texts[4][512];
	static unsigned next;
	char *text = texts[next++ % 4];

	report_at(path, place, report_take_text, text);
	return text;
}

static inline void report_take_bool(void *ctx, const struct lya_json *at)
{
	bool *b = ctx;

	assert_true(lya_json_bool(at, b));
}

static inline bool report_bool(const char *path, const char *place)
{
	bool b = false;

	report_at(path, place, report_take_bool, &b);
	return b;
}

static inline void report_take_count(void *ctx, const struct lya_json *at)
{
	size_t *n = ctx;

	assert_true(lya_json_array(at, n));
}

static inline size_t report_count(const char *path, const char *place)
{
	size_t n = 0;

	report_at(path, place, report_take_count, &n);
	return n;
}

/* FOLDER/reports/FILE; valid until the next but three. */
static inline const char *report_path(const char *folder, const char *file)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/reports/%s", folder, file);
	return path;
}

/* The whole file; freed by the caller. */
static inline char *file_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text;
	long len;

	if (file == NULL)
		fail_msg("%s is not there", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	len = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)len, file), len);
	(void)fclose(file);
	return text;
}

#endif
