/*
 * explain.c - why an address is what it is, in one sentence.
 *
 * The index knows the answer, not how it came about: for the words the lists
 * are looked through, as somebody with the file in hand would do.
 */
#include <string.h>

#include "site/load.h"

/* The longest network of a list that holds the address; NULL: none. */
static const struct lya_net *longest(const struct lya_net *list, size_t n,
				     const struct lya_addr *addr)
{
	const struct lya_net *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (lya_net_holds(&list[i], addr) && (best == NULL || list[i].bits > best->bits))
			best = &list[i];
	}
	return best;
}

/* The same over all declared addresses; *host is the one it stands under. */
static const struct lya_net *longest_declared(const struct lya_site *site,
					      const struct lya_addr *addr,
					      const struct lya_site_host **host)
{
	const struct lya_net *best = NULL;

	for (size_t h = 0; h < site->n_hosts; h++) {
		for (size_t i = 0; i < site->hosts[h].n_addresses; i++) {
			const struct lya_net *net = &site->hosts[h].addresses[i].net;

			if (!lya_net_holds(net, addr) || (best != NULL && net->bits <= best->bits))
				continue;
			best = net;
			*host = &site->hosts[h];
		}
	}
	return best;
}

static void explain_no_role(const struct lya_addr *addr, struct lya_text *text)
{
	if (lya_addr_is_multicast(addr))
		lya_text_add(text, "a multicast address");
	else if (lya_addr_is_broadcast(addr))
		lya_text_add(text, "the broadcast address");
	else
		lya_text_add(text, "a loopback, link-local or unspecified address");
	lya_text_add(text, ": plays no role");
}

static void explain_declared(const struct lya_site *site, const struct lya_endpoint *ep,
			     const struct lya_net *internal, struct lya_text *text)
{
	char by[LYA_NET_TEXT];
	char inside[LYA_NET_TEXT];

	lya_text_addf(text, "declared under host \"%s\" as %s, ", site->hosts[ep->host].name,
		      lya_net_format(&ep->by, by));
	if (internal != NULL)
		lya_text_addf(text, "inside the internal network %s",
			      lya_net_format(internal, inside));
	else
		lya_text_add(text, "outside every internal network");
}

static void explain_client(const struct lya_net *client, const struct lya_net *declared,
			   const struct lya_site_host *host, struct lya_text *text)
{
	char by[LYA_NET_TEXT];
	char shorter[LYA_NET_TEXT];

	lya_text_addf(text, "in the client network %s", lya_net_format(client, by));
	if (declared != NULL)
		lya_text_addf(text, ", which is longer than %s of host \"%s\"",
			      lya_net_format(declared, shorter), host->name);
	else
		lya_text_add(text, " and declared under no host");
}

void lya_site_explain(const struct lya_site *site, const struct lya_addr *addr,
		      struct lya_text *text)
{
	const struct lya_net *internal = longest(site->internal, site->n_internal, addr);
	const struct lya_net *client = longest(site->clients, site->n_clients, addr);
	const struct lya_site_host *host = NULL;
	const struct lya_net *declared = longest_declared(site, addr, &host);
	struct lya_endpoint ep;
	char net[LYA_NET_TEXT];

	lya_site_classify(site, addr, &ep);
	if (ep.no_role)
		explain_no_role(addr, text);
	else if (ep.declared)
		explain_declared(site, &ep, internal != NULL ? internal : client, text);
	else if (client != NULL)
		explain_client(client, declared, host, text);
	else if (internal == NULL)
		lya_text_add(text, "in no internal network and declared under no host");
	else if (site->n_clients == 0)
		lya_text_addf(text,
			      "in the internal network %s and declared under no host; where a "
			      "site names no client networks every such address is a client",
			      lya_net_format(internal, net));
	else
		lya_text_addf(text,
			      "in the internal network %s, in no client network and declared "
			      "under no host",
			      lya_net_format(internal, net));
}
