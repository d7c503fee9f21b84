/*
 * syslog.c - messages to the machine's own log, or to a server.
 */
#include "live/syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

enum {
	WAITING_MAX = 1000,  /* messages that are kept */
	TEXT_MAX = 1024,     /* bytes of a text: a datagram of 1280 bytes gets through everywhere */
	FACILITY_DAEMON = 3,
	ANSWER_S = 10,       /* how long a server may take to accept a connection */
	RETRY_S = 1,         /* before it is tried again, twice as long each time, */
	RETRY_MAX_S = 60     /* up to this */
};

struct message {
	char *text; /* as it is sent */
	size_t len;
};

struct live_syslog {
	struct live_syslog_options options;
	int fd;              /* -1: none */
	bool connecting;     /* TCP: not accepted yet */
	bool failing;        /* it has been said that it cannot be reached */
	size_t sent;         /* bytes of the first message that are on their way */
	int64_t retry_ns;    /* CLOCK_MONOTONIC: not before that; while connecting: not after */
	unsigned wait_s;
	struct message ring[WAITING_MAX];
	size_t first, n;
	struct live_syslog_counts counts;
};

/* Where to ----------------------------------------------------------------- */

static bool parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*port = (uint16_t)n;
	return text[0] >= '1' && text[0] <= '9' && *end == '\0' && n <= UINT16_MAX;
}

/* "192.0.2.5:514" or "[2001:db8::5]:601" */
static bool parse_end(struct live_syslog_to *to, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[LYA_ADDR_TEXT];
	size_t len;

	if (colon == NULL || !parse_port(colon + 1, &to->port))
		return false;
	len = (size_t)(colon - text);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return false;
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return lya_addr_parse(host, &to->addr);
}

bool live_syslog_parse(struct live_syslog_to *to, const char *text)
{
	*to = (struct live_syslog_to){ .way = LIVE_SYSLOG_LOCAL, .path = "/dev/log" };
	if (strcmp(text, "local") == 0)
		return true;
	to->way = strncmp(text, "udp:", 4) == 0 ? LIVE_SYSLOG_UDP : LIVE_SYSLOG_TCP;
	if (to->way == LIVE_SYSLOG_TCP && strncmp(text, "tcp:", 4) != 0)
		return false;
	return parse_end(to, text + 4);
}

static socklen_t local_address(const struct live_syslog_to *to, struct sockaddr_storage *out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", to->path);
	memcpy(out, &un, sizeof(un));
	return sizeof(un);
}

static socklen_t server_address(const struct live_syslog_to *to, struct sockaddr_storage *out)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };

	if (to->addr.family == 4) {
		memcpy(&in4.sin_addr, to->addr.bytes, 4);
		memcpy(out, &in4, sizeof(in4));
		return sizeof(in4);
	}
	memcpy(&in6.sin6_addr, to->addr.bytes, 16);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

static const char *name_of(const struct live_syslog_to *to, char *buf, size_t size)
{
	char addr[LYA_ADDR_TEXT];

	if (to->way == LIVE_SYSLOG_LOCAL)
		return to->path;
	(void)snprintf(buf, size, "%s %s port %u", to->way == LIVE_SYSLOG_UDP ? "UDP" : "TCP",
		       lya_addr_format(&to->addr, addr), to->port);
	return buf;
}

/* Messages ------------------------------------------------------------------ */

struct live_syslog *live_syslog_new(const struct live_syslog_options *options)
{
	struct live_syslog *s = lya_calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->options = *options;
	s->fd = -1;
	s->wait_s = RETRY_S;
	return s;
}

static void drop_first(struct live_syslog *s)
{
	lya_free(s->ring[s->first].text);
	s->first = (s->first + 1) % WAITING_MAX;
	s->n--;
	s->sent = 0;
}

void live_syslog_free(struct live_syslog *s)
{
	if (s == NULL)
		return;
	while (s->n > 0)
		drop_first(s);
	if (s->fd != -1)
		(void)close(s->fd);
	lya_free(s);
}

/* Names of hosts and certificates come from strangers: nothing in them ends a line. */
static void add_clean(struct lya_text *t, const char *text)
{
	size_t len = strlen(text);

	if (len > TEXT_MAX)
		for (len = TEXT_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--; /* no half character */
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		lya_text_add_len(t, c < 0x20 || c == 0x7f ? "?" : &text[i], 1);
	}
}

static void compose_local(struct lya_text *t, const struct live_syslog *s, unsigned priority,
			  int64_t wall_ns)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(wall_ns / LYA_SECOND_NS);
	struct tm tm;

	(void)localtime_r(&seconds, &tm);
	lya_text_addf(t, "<%u>%s %2d %02d:%02d:%02d lyncaudit[%d]: ", priority, months[tm.tm_mon % 12],
		      tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, s->options.pid);
}

static void compose(struct lya_text *t, const struct live_syslog *s, unsigned priority,
		    const char *kind, const char *text, int64_t wall_ns)
{
	const char *host = s->options.host;
	char when[LYA_TIME_TEXT];

	if (s->options.to.way == LIVE_SYSLOG_LOCAL)
		compose_local(t, s, priority, wall_ns);
	else
		lya_text_addf(t, "<%u>1 %s %s lyncaudit %d %s - ", priority,
			      lya_time_format(wall_ns, 6, when),
			      host != NULL && host[0] != '\0' ? host : "-", s->options.pid, kind);
	add_clean(t, text);
}

/* Its length stands before a message in a stream. */
static bool frame(struct lya_text *t, const struct live_syslog *s, struct message *m)
{
	if (t->failed)
		return false;
	m->len = t->len;
	if (s->options.to.way != LIVE_SYSLOG_TCP) {
		m->text = lya_strndup(lya_text_str(t), t->len);
		return m->text != NULL;
	}
	m->text = lya_malloc(t->len + 24);
	if (m->text != NULL) {
		int head = snprintf(m->text, 24, "%zu ", t->len);

		memcpy(m->text + head, t->data, t->len);
		m->len += (size_t)head;
	}
	return m->text != NULL;
}

void live_syslog_add(struct live_syslog *s, enum live_syslog_severity severity, const char *kind,
		     const char *text, int64_t wall_ns)
{
	struct lya_text t = { 0 };
	struct message m;

	compose(&t, s, FACILITY_DAEMON * 8u + severity, kind, text, wall_ns);
	if (!frame(&t, s, &m)) {
		s->counts.lost++;
		lya_text_fini(&t);
		return;
	}
	lya_text_fini(&t);
	if (s->n == WAITING_MAX) {
		drop_first(s);
		s->counts.lost++;
	}
	s->ring[(s->first + s->n++) % WAITING_MAX] = m;
}

/* Sending ------------------------------------------------------------------- */

static void say(struct live_syslog *s, bool good, const char *why)
{
	char text[256], name[80];
	const char *to = name_of(&s->options.to, name, sizeof(name));

	if (s->failing == !good)
		return;
	s->failing = !good;
	if (good)
		(void)snprintf(text, sizeof(text), "syslog %s: reached again, %" PRIu64 " messages lost",
			       to, s->counts.lost);
	else
		(void)snprintf(text, sizeof(text), "syslog %s: %s; messages wait, up to %d", to, why,
			       WAITING_MAX);
	if (s->options.say != NULL)
		s->options.say(s->options.ctx, good, text);
}

/* Close, and try again later. */
static void give_up(struct live_syslog *s, int64_t now_ns, const char *why)
{
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
	s->connecting = false;
	s->sent = 0; /* a message that was cut is sent again, whole */
	s->retry_ns = now_ns + s->wait_s * LYA_SECOND_NS;
	s->wait_s = s->wait_s * 2 < RETRY_MAX_S ? s->wait_s * 2 : RETRY_MAX_S;
	say(s, false, why);
}

static void reach(struct live_syslog *s, int64_t now_ns)
{
	const struct live_syslog_to *to = &s->options.to;
	struct sockaddr_storage address;
	bool stream = to->way == LIVE_SYSLOG_TCP;
	bool local = to->way == LIVE_SYSLOG_LOCAL;
	socklen_t len = local ? local_address(to, &address) : server_address(to, &address);

	s->fd = socket(address.ss_family,
		       (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd == -1) {
		give_up(s, now_ns, strerror(errno));
		return;
	}
	if (connect(s->fd, (const struct sockaddr *)&address, len) == 0)
		return;
	if (errno != EINPROGRESS) {
		give_up(s, now_ns, strerror(errno));
		return;
	}
	s->connecting = true;
	s->retry_ns = now_ns + ANSWER_S * LYA_SECOND_NS;
}

/* Has the server accepted?  False: not yet, or it will not. */
static bool accepted(struct live_syslog *s, int64_t now_ns)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (!s->connecting)
		return true;
	if (poll(&fd, 1, 0) != 1) {
		if (now_ns >= s->retry_ns)
			give_up(s, now_ns, "it does not answer");
		return false;
	}
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		give_up(s, now_ns, strerror(error));
		return false;
	}
	s->connecting = false;
	return true;
}

/* The other side has closed; what it says otherwise is of no interest. */
static bool hung_up(const struct live_syslog *s)
{
	char unused[256];
	ssize_t n;

	if (s->options.to.way != LIVE_SYSLOG_TCP)
		return false;
	do {
		n = recv(s->fd, unused, sizeof(unused), MSG_DONTWAIT);
	} while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}

/* The first message, as far as it goes; false: no more now. */
static bool send_first(struct live_syslog *s, int64_t now_ns)
{
	const struct message *m = &s->ring[s->first];
	ssize_t n = send(s->fd, m->text + s->sent, m->len - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			give_up(s, now_ns, strerror(errno));
		return false;
	}
	s->sent += (size_t)n;
	if (s->sent < m->len)
		return true;
	drop_first(s);
	s->counts.sent++;
	s->wait_s = RETRY_S;
	say(s, true, NULL);
	return true;
}

void live_syslog_work(struct live_syslog *s, int64_t now_ns)
{
	if (s->fd != -1 && !s->connecting && hung_up(s))
		give_up(s, now_ns, "the connection was closed");
	if (s->n == 0 && s->fd == -1)
		return;
	if (s->fd == -1 && now_ns >= s->retry_ns)
		reach(s, now_ns);
	if (s->fd == -1 || !accepted(s, now_ns))
		return;
	while (s->n > 0 && send_first(s, now_ns))
		;
}

int live_syslog_wait(const struct live_syslog *s, int64_t now_ns, struct pollfd *fd)
{
	int64_t left_ns = s->retry_ns - now_ns;

	*fd = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	if (s->options.to.way != LIVE_SYSLOG_TCP)
		fd->events = 0;
	if (s->n > 0)
		fd->events |= POLLOUT;
	if (s->n == 0 || (s->fd != -1 && !s->connecting))
		return -1;
	return left_ns <= 0 ? 0 : (int)(left_ns / 1000000 + 1);
}

void live_syslog_counts(const struct live_syslog *s, struct live_syslog_counts *out)
{
	*out = s->counts;
	out->waiting = s->n;
}
