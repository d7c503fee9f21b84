/*
 * judge.h - what the policy tests share: loaded sites, and flows told as a
 * talk between two ends X and Y.
 *
 * A talk says what was seen of it, and nothing more: who opened it is for the
 * judge to find out.  The sites are those of the row walk (tests/rules), or
 * text given by the test; the rules are the shipped ones.
 */
#ifndef TEST_POLICY_JUDGE_H
#define TEST_POLICY_JUDGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lyncaudit/policy.h"
#include "lyncaudit/timeutil.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* Evidence of the opener, as bits: several may be seen of one flow. */
enum {
	NOTHING = 0,
	SYN_X = 1 << 0,
	SYN_Y = 1 << 1,
	SYNACK_X = 1 << 2,
	SYNACK_Y = 1 << 3,
	WENT_ON = 1 << 4,  /* the other side, after the SYN-ACK */
	CLIENT_X = 1 << 5, /* the payload names it the client */
	CLIENT_Y = 1 << 6
};

struct talk {
	uint8_t transport; /* 6 or 17 */
	const char *x;
	uint16_t xport;
	const char *y;
	uint16_t yport;
	unsigned seen; /* evidence bits */
	char first;    /* who sent the first packet seen; 0: X */
	char listener; /* known by other flows as a listener; 0: nobody */
	enum lya_app app;
	bool service;     /* service payload */
	bool x_silent;    /* X sent no payload */
	uint64_t packets; /* each way; 0: four */
	enum lya_flow_unknown unknown;
	bool group;       /* a frame went to a group MAC */
	int64_t first_ns; /* 0: noon of 2026-11-21 UTC */
};

enum { TCP = 6, UDP = 17 };

/* 2026-11-21T12:00:00Z */
static const int64_t NOON = INT64_C(1795262400) * INT64_C(1000000000);

/* A site, the shipped rules and the policy of both. */
struct court {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
};

static inline void court_open(struct court *c, const char *site_text, const char *site_file,
			      bool strict)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	char path[512];
	int rc;

	assert_int_equal(lya_rules_load(&c->rules, TEST_SOURCE_DIR "/rules/lync-server-2013",
					&diags, &err),
			 LYA_OK);
	if (site_text != NULL) {
		rc = lya_site_load_text(&c->site, "site.json", site_text, strlen(site_text), &diags,
					&err);
	} else {
		snprintf(path, sizeof(path), TEST_SOURCE_DIR "/tests/rules/%s", site_file);
		rc = lya_site_load(&c->site, path, &diags, &err);
	}
	if (rc != LYA_OK)
		fail_msg("%s", err.text);
	if (lya_policy_new(&c->policy, c->site, c->rules, strict, &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_diags_fini(&diags);
}

static inline void court_close(struct court *c)
{
	lya_policy_free(c->policy);
	lya_site_free(c->site);
	lya_rules_free(c->rules);
}

static inline int8_t side_of(char end, int x)
{
	return (int8_t)(end == 'Y' ? 1 - x : x);
}

/* The flow of a talk.  Returns the side that X is. */
static inline int flow_of(const struct talk *t, struct lya_flow *f)
{
	struct lya_addr a[2];
	uint64_t packets = t->packets != 0 ? t->packets : 4;
	int order;
	int x;

	assert_true(lya_addr_parse(t->x, &a[0]));
	assert_true(lya_addr_parse(t->y, &a[1]));
	order = lya_addr_cmp(&a[0], &a[1]);
	x = order < 0 || (order == 0 && t->xport <= t->yport) ? 0 : 1;
	*f = (struct lya_flow){ .transport = t->transport, .unknown = (uint8_t)t->unknown };
	f->addr[x] = a[0];
	f->addr[1 - x] = a[1];
	f->port[x] = t->xport;
	f->port[1 - x] = t->yport;
	f->first_side = side_of(t->first, x);
	f->syn_side = f->synack_side = f->app.client_side = -1;
	if (t->seen & (SYN_X | SYN_Y))
		f->syn_side = side_of(t->seen & SYN_X ? 'X' : 'Y', x);
	if (t->seen & (SYNACK_X | SYNACK_Y))
		f->synack_side = side_of(t->seen & SYNACK_X ? 'X' : 'Y', x);
	f->synack_continued = (t->seen & WENT_ON) != 0;
	if (t->seen & (CLIENT_X | CLIENT_Y))
		f->app.client_side = side_of(t->seen & CLIENT_X ? 'X' : 'Y', x);
	f->app.app = (uint8_t)t->app;
	f->app.service_payload = t->service;
	f->state = t->transport == TCP ? LYA_STATE_ESTABLISHED : LYA_STATE_NONE;
	f->answered = true;
	f->group_dst = t->group;
	f->packets[0] = f->packets[1] = packets;
	f->bytes[0] = f->bytes[1] = packets * 100;
	if (t->app != LYA_APP_NONE)
		f->payload_bytes[0] = f->payload_bytes[1] = packets * 50;
	if (t->x_silent)
		f->payload_bytes[x] = 0;
	f->first_ns = t->first_ns != 0 ? t->first_ns : NOON;
	f->last_ns = f->first_ns + 10 * LYA_SECOND_NS;
	return x;
}

/* Judge a talk.  Returns who is taken for the opener: 'X' or 'Y'. */
static inline char judge(const struct court *c, const struct talk *t, struct lya_verdict *v)
{
	struct lya_policy_end ends[2];
	struct lya_flow f;
	int x = flow_of(t, &f);

	lya_policy_end_of(c->policy, &f.addr[0], &ends[0]);
	lya_policy_end_of(c->policy, &f.addr[1], &ends[1]);
	lya_policy_judge(c->policy, NULL, &f, ends, t->listener != 0 ? side_of(t->listener, x) : -1,
			 v);
	return v->initiator == x ? 'X' : 'Y';
}

/* The id of the rule at an index; "-" for none. */
static inline const char *rule_id(const struct court *c, int index)
{
	return index >= 0 ? c->rules->list[index].id : "-";
}

#endif
