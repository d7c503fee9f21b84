/*
 * version.c - lyncaudit --version: what is compiled in, what this kernel offers.
 *
 * The versions are those of the libraries in use, not of the headers: with
 * shared libraries they may differ, and a fault report needs the former.
 */
#include "cli/version.h"

#include <curses.h>
#include <json-c/json.h>
#include <lz4.h>
#include <lzma.h>
#include <nettle/version.h>
#include <pcap/pcap.h>
#include <seccomp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "cli/cli.h"
#include "lyncaudit/confine.h"

static void print_libraries(void)
{
	const struct scmp_version *filter = seccomp_version();

	printf("%s\n", pcap_lib_version());
	printf("json-c %s\n", json_c_version());
	printf("nettle %d.%d\n", nettle_version_major(), nettle_version_minor());
	printf("zlib %s\n", zlibVersion());
	printf("zstd %s\n", ZSTD_versionString());
	printf("lz4 %s\n", LZ4_versionString());
	printf("lzma %s\n", lzma_version_string());
	printf("sqlite %s\n", sqlite3_libversion());
	printf("%s\n", curses_version());
	if (filter != NULL)
		printf("libseccomp %u.%u.%u\n", filter->major, filter->minor, filter->micro);
}

static void print_kernel(void)
{
	struct lya_confined offer;

	lya_confine_offer(&offer);
	if (offer.landlock_abi > 0)
		printf("this kernel: Landlock yes (ABI %d)\n", offer.landlock_abi);
	else
		printf("this kernel: Landlock no\n");
	printf("this kernel: seccomp %s\n", offer.seccomp ? "yes" : "no");
}

int cli_print_version(void)
{
	printf("lyncaudit %s\n", LYNCAUDIT_VERSION);
	print_libraries();
	print_kernel();
	return EXIT_FINE;
}
