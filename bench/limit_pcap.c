/*
 * limit_pcap.c - a bare libpcap loop: every header touched, nothing kept.
 *
 *     bench_limit_pcap FILE
 *
 * What any program built on pcap_dispatch pays before its own work begins.
 */
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>

struct sum {
	uint64_t packets, bytes, mix;
};

static void touch(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	struct sum *s = (void *)user;
	uint32_t at = 12;

	s->packets++;
	s->bytes += h->caplen;
	for (; at < h->caplen && at < 54; at += 4) /* link, network and transport header */
		s->mix += data[at];
}

int main(int argc, char **argv)
{
	char err[PCAP_ERRBUF_SIZE];
	struct sum s = { 0 };
	pcap_t *p;
	int n;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_limit_pcap FILE\n");
		return 2;
	}
	p = pcap_open_offline(argv[1], err);
	if (p == NULL) {
		fprintf(stderr, "bench_limit_pcap: %s\n", err);
		return 1;
	}
	do {
		n = pcap_dispatch(p, -1, touch, (u_char *)&s);
	} while (n > 0);
	pcap_close(p);
	if (n < 0)
		return 1;
	printf("{\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"mix\": %" PRIu64 "}\n",
	       s.packets, s.bytes, s.mix);
	return 0;
}
