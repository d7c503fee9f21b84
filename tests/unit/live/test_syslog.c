/*
 * test_syslog.c - messages to a log: their form, and what happens when it is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "live/syslog.h"
#include "lyncaudit/timeutil.h"

#define S(n) ((n) * LYA_SECOND_NS)

enum { ROOM = 65536, MANY = 1100, KEPT = 1000 };

static char said[256];
static unsigned n_said;

static void say(void *ctx, bool good, const char *text)
{
	(void)ctx;
	(void)good;
	snprintf(said, sizeof(said), "%s", text);
	n_said++;
}

static struct live_syslog *log_to(const char *to)
{
	struct live_syslog_options options = { .host = "sensor1", .pid = 42, .say = say };

	said[0] = '\0';
	n_said = 0;
	assert_true(live_syslog_parse(&options.to, to));
	return live_syslog_new(&options);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static int serve(int type)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_INET, type, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

static void where_to(void **state)
{
	static const struct {
		const char *text;
		bool good;
		enum live_syslog_way way;
		uint16_t port;
	} cases[] = {
		{ "local", true, LIVE_SYSLOG_LOCAL, 0 },
		{ "udp:192.0.2.5:514", true, LIVE_SYSLOG_UDP, 514 },
		{ "tcp:[2001:db8::5]:601", true, LIVE_SYSLOG_TCP, 601 },
		{ "tcp:2001:db8::5:601", false, 0, 0 },
		{ "udp:192.0.2.5", false, 0, 0 },
		{ "udp:192.0.2.5:0", false, 0, 0 },
		{ "udp:192.0.2.5:65536", false, 0, 0 },
		{ "udp:192.0.2.5:514x", false, 0, 0 },
		{ "udp:log.example.com:514", false, 0, 0 },
		{ "udp:[]:514", false, 0, 0 },
		{ "unix:/dev/log", false, 0, 0 },
		{ "", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct live_syslog_to to;

		if (live_syslog_parse(&to, cases[i].text) != cases[i].good)
			fail_msg("%s", cases[i].text);
		if (!cases[i].good)
			continue;
		assert_int_equal(to.way, cases[i].way);
		assert_int_equal(to.port, cases[i].port);
	}
}

/* RFC 5424 section 6, in a datagram; what would end a line or colour a terminal is gone. */
static void a_datagram(void **state)
{
	int server = serve(SOCK_DGRAM);
	char to[64], got[ROOM];
	struct live_syslog_counts counts;
	struct live_syslog *s;
	ssize_t n;

	(void)state;
	snprintf(to, sizeof(to), "udp:127.0.0.1:%u", port_of(server));
	s = log_to(to);
	live_syslog_add(s, LIVE_SYSLOG_ERROR, "finding", "one\ntwo\x1b[31m", S(1) + 5000);
	live_syslog_work(s, 0);
	n = recv(server, got, sizeof(got) - 1, 0);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "<27>1 1970-01-01T00:00:01.000005Z sensor1 lyncaudit 42 finding - "
				 "one?two?[31m");
	live_syslog_counts(s, &counts);
	assert_int_equal(counts.sent, 1);
	assert_int_equal(counts.waiting, 0);
	live_syslog_free(s);
	close(server);
}

/* The machine's own log: RFC 3164 without the host, as its socket has it. */
static void the_local_log(void **state)
{
	struct live_syslog_options options = { .pid = 42, .say = say };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/lyncaudit-log-XXXXXX", path[64], got[ROOM];
	int server = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct live_syslog *s;
	ssize_t n;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(server, (struct sockaddr *)&un, sizeof(un)), 0);
	options.to = (struct live_syslog_to){ .way = LIVE_SYSLOG_LOCAL, .path = path };
	setenv("TZ", "UTC", 1);
	tzset();
	s = live_syslog_new(&options);
	live_syslog_add(s, LIVE_SYSLOG_WARNING, "sensor", "something", S(86400));
	live_syslog_work(s, 0);
	n = recv(server, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "<28>Jan  2 00:00:00 lyncaudit[42]: something");
	live_syslog_free(s);
	close(server);
	unlink(path);
	rmdir(folder);
}

/* What a stream has: "LENGTH MESSAGE", without anything between (RFC 6587, 3.4.1). */
static size_t read_framed(int fd, unsigned *n_messages)
{
	static char got[ROOM * 8];
	size_t len = 0, at = 0;
	ssize_t n;

	while (len < sizeof(got) && (n = recv(fd, got + len, sizeof(got) - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	for (*n_messages = 0; at < len; (*n_messages)++) {
		char *end;
		unsigned long size = strtoul(got + at, &end, 10);

		assert_int_equal(*end, ' ');
		at = (size_t)(end - got) + 1 + size;
		assert_int_equal(end[1], '<');
	}
	assert_int_equal(at, len);
	return len;
}

/* While nobody listens messages wait, up to a bound; then they come, the oldest lost. */
static void a_server_that_is_late(void **state)
{
	int server = serve(SOCK_STREAM), peer;
	struct live_syslog_counts counts;
	struct live_syslog *s;
	struct pollfd fd;
	unsigned n = 0;
	char to[64];

	(void)state;
	snprintf(to, sizeof(to), "tcp:127.0.0.1:%u", port_of(server));
	s = log_to(to);
	for (unsigned i = 0; i < MANY; i++)
		live_syslog_add(s, LIVE_SYSLOG_NOTICE, "finding", "text", S(1));
	live_syslog_work(s, S(0));
	live_syslog_work(s, S(0));
	assert_int_equal(n_said, 1); /* once */
	assert_non_null(strstr(said, "refused"));
	assert_in_range(live_syslog_wait(s, S(0), &fd), 1, 1001);
	assert_int_equal(listen(server, 1), 0);
	live_syslog_work(s, S(0) + S(1) / 2); /* not yet */
	live_syslog_work(s, S(2));
	peer = accept(server, NULL, NULL);
	assert_true(peer != -1);
	for (unsigned i = 0, more; i < 1000 && n < KEPT; i++) {
		live_syslog_work(s, S(2));
		(void)read_framed(peer, &more);
		n += more;
		usleep(1000);
	}
	assert_int_equal(n, KEPT);
	live_syslog_counts(s, &counts);
	assert_int_equal(counts.lost, MANY - KEPT);
	assert_int_equal(counts.sent, KEPT);
	assert_int_equal(n_said, 2);
	assert_non_null(strstr(said, "reached again, 100 messages lost"));
	close(peer);
	live_syslog_free(s);
	close(server);
}

/* It hangs up: the next message goes by a new connection, after a while. */
static void a_server_that_hangs_up(void **state)
{
	int server = serve(SOCK_STREAM), peer;
	struct live_syslog *s;
	unsigned n = 0;
	char to[64];

	(void)state;
	assert_int_equal(listen(server, 2), 0);
	snprintf(to, sizeof(to), "tcp:127.0.0.1:%u", port_of(server));
	s = log_to(to);
	live_syslog_add(s, LIVE_SYSLOG_NOTICE, "finding", "first", S(1));
	live_syslog_work(s, S(0));
	peer = accept(server, NULL, NULL);
	live_syslog_work(s, S(0));
	usleep(10000);
	(void)read_framed(peer, &n);
	assert_int_equal(n, 1);
	close(peer);
	usleep(10000);
	live_syslog_work(s, S(1));
	assert_non_null(strstr(said, "was closed"));
	live_syslog_add(s, LIVE_SYSLOG_NOTICE, "finding", "second", S(1));
	live_syslog_work(s, S(3));
	peer = accept(server, NULL, NULL);
	live_syslog_work(s, S(3));
	usleep(10000);
	(void)read_framed(peer, &n);
	assert_int_equal(n, 1);
	close(peer);
	live_syslog_free(s);
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_to),
		cmocka_unit_test(a_datagram),
		cmocka_unit_test(the_local_log),
		cmocka_unit_test(a_server_that_is_late),
		cmocka_unit_test(a_server_that_hangs_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
