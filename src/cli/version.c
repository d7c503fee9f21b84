/*
 * version.c - lyncaudit --version.
 */
#include "cli/version.h"

#include <json-c/json.h>
#include <nettle/version.h>
#include <pcap/pcap.h>
#include <stdio.h>

#include "cli/cli.h"

int cli_print_version(void)
{
	printf("lyncaudit %s\n", LYNCAUDIT_VERSION);
	printf("%s\n", pcap_lib_version());
	printf("json-c %s\n", json_c_version());
	printf("nettle %d.%d\n", nettle_version_major(), nettle_version_minor());
	return EXIT_FINE;
}
