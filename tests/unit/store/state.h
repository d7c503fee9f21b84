/*
 * state.h - a store in a state directory, and parts to put there.
 */
#ifndef TESTS_STORE_STATE_H
#define TESTS_STORE_STATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../finding/world.h"
#include "lyncaudit/store.h"
#include "state_dir.h"

static inline struct lya_store *state_open(void)
{
	struct lya_store_writer writer = { .sensor = "span-1", .now_ns = WORLD_TIME };
	struct lya_error err = { 0 };
	struct lya_store *s;

	if (lya_store_open(&s, dir, &writer, NULL, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return s;
}

static inline int64_t state_policy(struct lya_store *s, const struct world *w)
{
	struct lya_store_policy policy = { .site = w->site, .rules = w->rules };

	assert_int_equal(lya_store_put_policy(s, &policy, NULL), LYA_OK);
	return policy.id;
}

static inline struct lya_store_period state_period(int64_t day)
{
	static char sensor[] = "span-1", zone[] = "Europe/Paris";

	return (struct lya_store_period){
		.day = day,
		.begin_ns = day * 86400 * LYA_SECOND_NS,
		.end_ns = (day + 1) * 86400 * LYA_SECOND_NS,
		.fail_on = LYA_SEVERITY_LOW,
		.sensor = sensor,
		.timezone = zone,
	};
}

static inline struct lya_pack state_text(const char *text)
{
	struct lya_pack pack = { 0 };

	lya_pack_raw(&pack, text, strlen(text));
	return pack;
}

/* What is read back of a stretch, one part behind the other: "tally|ended|ended|(open)". */
static inline int state_take(struct lya_text *t, const void *data, size_t len, bool open, bool good)
{
	lya_text_addf(t, "%s%s%.*s%s", t->len > 0 ? "|" : "", open ? "(" : "", (int)len,
		      (const char *)data, open ? ")" : "");
	if (!good)
		lya_text_add(t, "!");
	return LYA_OK;
}

static inline int state_tally(void *ctx, const void *data, size_t len, bool good)
{
	return state_take(ctx, data, len, false, good);
}

static inline int state_part(void *ctx, const void *data, size_t len, bool open, bool good)
{
	return state_take(ctx, data, len, open, good);
}

static inline void expect_stretch(struct lya_store *s, int64_t stretch, const char *want)
{
	struct lya_text text = { 0 };
	struct lya_store_taker taker = { &text, state_tally, state_part };

	assert_int_equal(lya_store_read_stretch(s, stretch, &taker, NULL), LYA_OK);
	assert_string_equal(lya_text_str(&text), want);
	lya_text_fini(&text);
}

#endif
