/*
 * fuzz_site.c - site descriptions: any bytes are a site or a list of faults.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/site.h"
#include "lyncaudit/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct lya_site *site, const struct lya_addr *addr)
{
	struct lya_text text = { 0 };
	struct lya_endpoint ep;

	lya_site_classify(site, addr, &ep);
	if (ep.declared && (ep.host < 0 || (size_t)ep.host >= site->n_hosts))
		abort();
	if (ep.by.addr.family != 0 && !lya_net_holds(&ep.by, addr))
		abort();
	if (ep.no_role != (ep.roles == 0))
		abort(); /* every unicast address is something */
	lya_site_explain(site, addr, &text);
	lya_text_fini(&text);
}

static void use_site(const struct lya_site *site)
{
	struct lya_site_fault *faults;
	struct lya_addr addr;
	size_t n;

	for (size_t h = 0; h < site->n_hosts; h++) {
		for (size_t i = 0; i < site->hosts[h].n_addresses; i++)
			look_up(site, &site->hosts[h].addresses[i].net.addr);
	}
	for (size_t i = 0; i < site->n_clients; i++)
		look_up(site, &site->clients[i].addr);
	if (lya_addr_parse("198.51.100.77", &addr))
		look_up(site, &addr);
	if (lya_addr_parse("2001:db8::77", &addr))
		look_up(site, &addr);
	if (lya_site_check(site, &faults, &n, NULL) == LYA_OK)
		lya_site_faults_free(faults, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_site *site;
	int rc = lya_site_load_text(&site, "fuzz", (const char *)data, size, &diags, &err);

	if ((rc == LYA_OK) != (site != NULL) || (rc == LYA_EINPUT) != (diags.errors > 0))
		abort();
	if (rc < 0 && err.text[0] == '\0')
		abort(); /* a failure has a reason */
	if (site != NULL)
		use_site(site);
	lya_site_free(site);
	lya_diags_fini(&diags);
	return 0;
}
