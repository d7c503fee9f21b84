/*
 * adapter.c - time stamps that a network card makes (the kernel's
 * Documentation/networking/timestamping.rst).
 *
 * Its clock is a clock of its own.  One that nobody sets begins in 1970 or is tens of
 * seconds off (TAI), and would put packets into another day's report.
 */
#include "capture/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The clock behind an open /dev/ptpN (clock_gettime(2), dynamic clocks). */
static clockid_t clock_of(int fd)
{
	return (clockid_t)(~(unsigned)fd << 3 | 3);
}

static int fail(const char *name, const char *what, struct lya_error *err)
{
	return lya_error_set(err, LYA_EIO, name, NULL, "%s: %s", what, strerror(errno));
}

static int clock_check(int fd, const char *name, struct lya_error *err)
{
	struct timespec card, host;
	long long apart;

	if (clock_gettime(clock_of(fd), &card) == -1 || clock_gettime(CLOCK_REALTIME, &host) == -1)
		return fail(name, "the network card's clock cannot be read", err);
	apart = (long long)card.tv_sec - host.tv_sec;
	if (apart >= -1 && apart <= 1)
		return LYA_OK;
	return lya_error_set(err, LYA_EUSAGE, name, NULL,
			     "the network card's clock is %lld s %s the host's: set it (phc2sys), or leave "
			     "out --time-stamps adapter",
			     apart < 0 ? -apart : apart, apart < 0 ? "behind" : "ahead of");
}

static int clock_open(int index, const char *name, struct lya_error *err)
{
	char path[32];
	int fd;
	int rc;

	(void)snprintf(path, sizeof(path), "/dev/ptp%d", index);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return fail(name, path, err);
	rc = clock_check(fd, name, err);
	(void)close(fd);
	return rc;
}

int capture_adapter_switch_on(int fd, const char *name, struct lya_error *err)
{
	struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO, .phc_index = -1 };
	struct hwtstamp_config config = { .rx_filter = HWTSTAMP_FILTER_ALL };
	struct ifreq ifr = { 0 };
	int rc;

	(void)strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	ifr.ifr_data = (void *)&info;
	if (ioctl(fd, SIOCETHTOOL, &ifr) == -1 || info.phc_index < 0 ||
	    (info.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE) == 0 ||
	    (info.rx_filters & 1u << HWTSTAMP_FILTER_ALL) == 0)
		return lya_error_set(err, LYA_EUSAGE, name, NULL,
				     "this interface offers no time stamps of a network card; leave out "
				     "--time-stamps adapter");
	rc = clock_open(info.phc_index, name, err);
	if (rc != LYA_OK)
		return rc;
	ifr.ifr_data = (void *)&config;
	if (ioctl(fd, SIOCSHWTSTAMP, &ifr) == -1)
		return fail(name, "the network card's time stamps cannot be switched on", err);
	return LYA_OK;
}

int capture_adapter_stamp(int fd, const char *name, struct lya_error *err)
{
	int source = SOF_TIMESTAMPING_RAW_HARDWARE;

	if (setsockopt(fd, SOL_PACKET, PACKET_TIMESTAMP, &source, sizeof(source)) == -1)
		return fail(name, "the network card's time stamps cannot be had", err);
	return LYA_OK;
}
