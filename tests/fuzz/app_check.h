/*
 * app_check.h - a payload state under fuzzing: what must hold whatever comes.
 */
#ifndef FUZZ_APP_CHECK_H
#define FUZZ_APP_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/app.h"

static inline void must(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t app_scratch[LYA_APP_SCRATCH];
static unsigned app_lent;
static bool app_stingy; /* nothing is lent */

static inline void *app_lend(void *ctx)
{
	(void)ctx;
	if (app_stingy)
		return NULL;
	app_lent++;
	return app_scratch;
}

static inline void app_text(const char *text)
{
	size_t n = strlen(text);

	must(n > 0 && n < LYA_DNS_NAME);
	for (size_t i = 0; i < n; i++)
		must(text[i] >= ' ' && text[i] < 0x7F);
}

static inline void app_on_stun(void *ctx, unsigned side, const struct lya_stun *m)
{
	(void)ctx;
	must(side <= 1);
	must(m->request + m->response + m->error + m->indication == 1);
}

static inline void app_on_hello(void *ctx, unsigned side, const struct lya_tls_hello *h)
{
	(void)ctx;
	must(side <= 1);
	must(h->session_id_len <= 32);
}

static inline void app_on_sni(void *ctx, unsigned side, const char *name)
{
	(void)ctx;
	must(side <= 1);
	app_text(name);
}

static inline void app_on_ticket(void *ctx, unsigned side, const uint8_t *p, size_t len)
{
	volatile uint8_t last;

	(void)ctx;
	must(side <= 1);
	if (len > 0)
		last = p[len - 1];
	(void)last;
}

static inline void app_on_cert_name(void *ctx, unsigned side, const char *name, bool common)
{
	(void)ctx;
	(void)common;
	must(side <= 1);
	app_text(name);
}

static inline void app_on_epm_port(void *ctx, unsigned side, uint16_t port)
{
	(void)ctx;
	must(side <= 1 && port != 0);
}

static inline void app_on_sql(void *ctx, unsigned side, const char *instance, uint16_t port)
{
	(void)ctx;
	(void)port;
	must(side <= 1);
	app_text(instance);
}

static const struct lya_app_observer app_observer = {
	.lend = app_lend,
	.on_stun = app_on_stun,
	.on_client_hello = app_on_hello,
	.on_server_hello = app_on_hello,
	.on_sni = app_on_sni,
	.on_ticket = app_on_ticket,
	.on_cert_name = app_on_cert_name,
	.on_epm_port = app_on_epm_port,
	.on_sql_instance = app_on_sql,
};

static inline struct lya_app_state *app_begin(uint8_t transport, bool stingy)
{
	struct lya_app_state *st = malloc(lya_app_state_size(transport));

	must(st != NULL);
	app_stingy = stingy;
	app_lent = 0;
	lya_app_init(st, transport);
	lya_app_observe(st, &app_observer);
	return st;
}

static inline void app_end(struct lya_app_state *st, struct lya_app_result *res)
{
	lya_app_end(st);
	lya_app_result(st, res);
	must(res->app < LYA_APP_COUNT);
	must(res->client_side >= -1 && res->client_side <= 1);
	must(res->prefix_len[0] <= LYA_APP_PREFIX && res->prefix_len[1] <= LYA_APP_PREFIX);
	must(!res->ice || (res->seen & LYA_SEEN_STUN));
	must(res->tls == 0 || res->app == LYA_APP_TLS || res->app == LYA_APP_XMPP);
	must(app_lent <= 1);
	must(lya_app_scratch_take(st) == (app_lent ? app_scratch : NULL));
	free(st);
}

#endif
