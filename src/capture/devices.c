/*
 * devices.c - the interfaces of this machine, as libpcap lists them.
 */
#include "lyncaudit/capture.h"

#include <pcap/pcap.h>
#include <string.h>

#include "lyncaudit/alloc.h"

/* Packets of network interfaces: not of USB, Bluetooth, netfilter, nor of all at once. */
static bool is_wanted(const pcap_if_t *d)
{
	static const char *const others[] = { "any", "nflog", "nfqueue", "usbmon", "bluetooth",
					      "dbus-" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strncmp(d->name, others[i], strlen(others[i])) == 0)
			return false;
	}
	return true;
}

static bool take(struct lya_capture_device *to, const pcap_if_t *from)
{
	to->name = lya_strdup(from->name);
	to->description = from->description != NULL ? lya_strdup(from->description) : NULL;
	to->up = (from->flags & PCAP_IF_UP) != 0;
	to->running = (from->flags & PCAP_IF_RUNNING) != 0;
	to->loopback = (from->flags & PCAP_IF_LOOPBACK) != 0;
	return to->name != NULL && (from->description == NULL || to->description != NULL);
}

static int copy_all(const pcap_if_t *all, struct lya_capture_device **list, size_t *n,
		    struct lya_error *err)
{
	size_t room = 1;

	for (const pcap_if_t *d = all; d != NULL; d = d->next)
		room++;
	*list = lya_calloc(room, sizeof(**list));
	if (*list == NULL)
		return lya_error_nomem(err);
	for (const pcap_if_t *d = all; d != NULL; d = d->next) {
		if (is_wanted(d) && !take(&(*list)[(*n)++], d))
			return lya_error_nomem(err);
	}
	return LYA_OK;
}

int lya_capture_devices(struct lya_capture_device **list, size_t *n, struct lya_error *err)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_if_t *all;
	int rc;

	*list = NULL;
	*n = 0;
	if (pcap_findalldevs(&all, why) == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "interfaces cannot be listed: %s", why);
	rc = copy_all(all, list, n, err);
	pcap_freealldevs(all);
	if (rc != LYA_OK) {
		lya_capture_devices_free(*list, *n);
		*list = NULL;
		*n = 0;
	}
	return rc;
}

void lya_capture_devices_free(struct lya_capture_device *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lya_free(list[i].name);
		lya_free(list[i].description);
	}
	lya_free(list);
}
