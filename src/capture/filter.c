/*
 * filter.c - pcap filter expressions by libpcap.
 *
 * Programs are kept per link type and depth of VLAN tags.  "(expr) or (vlan
 * and (expr))" would be the textbook way, but lets `not port 80` pass every
 * tagged frame; choosing the program by the tags that are there does not.
 */
#include "capture/filter.h"

#include <ctype.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "capture/wire.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"

enum {
	TAGS_MAX = 4,   /* deeper frames are asked inside the fourth tag */
	LINKS_MAX = 64, /* a file may claim 65536 of them */
	ETHER_TYPE_AT = 12,
	TAG_LEN = 4
};

struct program {
	struct bpf_program bpf;
	bool ready;
};

struct link_programs {
	uint16_t link;
	bool never; /* an unknown link type that cannot be asked: nothing matches */
	struct program at[TAGS_MAX + 1]; /* by number of tags */
};

struct capture_filter {
	char *expression;
	bool names_vlan; /* the expression deals with tags itself */
	struct link_programs *links;
	size_t n_links, cap_links;
};

/* Link types whose number in files is not the one that libpcap has in memory. */
static int dlt_of_link(uint16_t link)
{
	switch (link) {
	case LYA_LINK_RAW:
		return DLT_RAW;
	case 100: /* LINKTYPE_ATM_RFC1483 */
		return DLT_ATM_RFC1483;
	case 102: /* LINKTYPE_SLIP_BSDOS */
		return DLT_SLIP_BSDOS;
	case 103: /* LINKTYPE_PPP_BSDOS */
		return DLT_PPP_BSDOS;
	case 106: /* LINKTYPE_ATM_CLIP */
		return DLT_ATM_CLIP;
	default:
		return link;
	}
}

static bool link_is_known(uint16_t link)
{
	switch (link) {
	case LYA_LINK_NULL:
	case LYA_LINK_ETHERNET:
	case LYA_LINK_PPP:
	case LYA_LINK_PPP_HDLC:
	case LYA_LINK_PPP_ETHER:
	case LYA_LINK_RAW:
	case LYA_LINK_C_HDLC:
	case LYA_LINK_LOOP:
	case LYA_LINK_LINUX_SLL:
	case LYA_LINK_IPV4:
	case LYA_LINK_IPV6:
	case LYA_LINK_LINUX_SLL2:
		return true;
	default:
		return false;
	}
}

/* Characters of names, too: the host vlan-gw.example.com is not the keyword. */
static bool is_word_char(char c)
{
	return c != '\0' && (isalnum((unsigned char)c) || strchr("-._", c) != NULL);
}

/* Does the expression hold `word` as a word of its own? */
static bool holds_word(const char *expression, const char *word)
{
	const size_t len = strlen(word);
	const char *p = expression;

	while ((p = strstr(p, word)) != NULL) {
		bool begins = p == expression || !is_word_char(p[-1]);

		if (begins && !is_word_char(p[len]))
			return true;
		p += len;
	}
	return false;
}

int capture_filter_new(struct capture_filter **out, const char *expression, struct lya_error *err)
{
	struct capture_filter *f = lya_calloc(1, sizeof(*f));

	*out = NULL;
	if (f == NULL)
		return lya_error_nomem(err);
	f->expression = lya_strdup(expression);
	if (f->expression == NULL) {
		lya_free(f);
		return lya_error_nomem(err);
	}
	f->names_vlan = holds_word(expression, "vlan");
	*out = f;
	return LYA_OK;
}

void capture_filter_free(struct capture_filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n_links; i++) {
		for (size_t tags = 0; tags <= TAGS_MAX; tags++) {
			if (f->links[i].at[tags].ready)
				pcap_freecode(&f->links[i].at[tags].bpf);
		}
	}
	lya_free(f->links);
	lya_free(f->expression);
	lya_free(f);
}

static int program_compile(struct program *p, const char *expression, const char *text,
			   uint16_t link, struct lya_error *err)
{
	pcap_t *dead = pcap_open_dead(dlt_of_link(link), LYA_FRAME_MAX);
	int rc = LYA_OK;

	if (dead == NULL)
		return lya_error_nomem(err);
	if (pcap_compile(dead, &p->bpf, text, 1, PCAP_NETMASK_UNKNOWN) == -1)
		rc = lya_error_set(err, LYA_EUSAGE, "filter", NULL, "\"%s\" for link type %u: %s",
				   expression, link, pcap_geterr(dead));
	pcap_close(dead);
	p->ready = rc == LYA_OK;
	return rc;
}

/* The program that asks the expression inside `tags` tags. */
static int program_make(const struct capture_filter *f, struct link_programs *l, size_t tags,
			struct lya_error *err)
{
	struct lya_text text = { 0 };
	int rc;

	for (size_t i = 0; i < tags; i++)
		lya_text_add(&text, "vlan and ");
	/* An empty expression matches everything, and has no parentheses. */
	if (tags > 0)
		lya_text_addf(&text, "(%s)", f->expression);
	else
		lya_text_add(&text, f->expression);
	if (text.failed)
		rc = lya_error_nomem(err);
	else
		rc =
		    program_compile(&l->at[tags], f->expression, lya_text_str(&text), l->link, err);
	lya_text_fini(&text);
	return rc;
}

static struct link_programs *link_find(const struct capture_filter *f, uint16_t link)
{
	for (size_t i = 0; i < f->n_links; i++) {
		if (f->links[i].link == link)
			return &f->links[i];
	}
	return NULL;
}

int capture_filter_prepare(struct capture_filter *f, uint16_t link, struct lya_error *err)
{
	struct link_programs fresh = { .link = link };
	void *list = f->links;
	int rc;

	if (link_find(f, link) != NULL)
		return LYA_OK;
	rc = program_make(f, &fresh, 0, err);
	if (rc == LYA_EUSAGE && !link_is_known(link)) {
		fresh.never = true;
		rc = LYA_OK;
	}
	if (rc != LYA_OK)
		return rc;
	if (lya_grow(&list, &f->cap_links, f->n_links + 1, sizeof(fresh)) != LYA_OK) {
		if (fresh.at[0].ready)
			pcap_freecode(&fresh.at[0].bpf);
		return lya_error_nomem(err);
	}
	f->links = list;
	f->links[f->n_links++] = fresh;
	return LYA_OK;
}

/* What tells by the length of a frame, or by bytes at a place in it, is wrong without the tag. */
bool capture_filter_kernel(const char *expression)
{
	static const char *const words[] = { "vlan", "len", "less", "greater" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (holds_word(expression, words[i]))
			return false;
	}
	return strchr(expression, '[') == NULL;
}

int capture_filter_prefilter(const char *expression, uint16_t link, struct bpf_program *program,
			     struct lya_error *err)
{
	struct program p = { .ready = false };
	struct lya_text text = { 0 };
	int rc;

	lya_text_addf(&text, "(%s)", expression);
	if (link == LYA_LINK_ETHERNET)
		lya_text_add(&text, " or ether[12:2] = 0x8100 or ether[12:2] = 0x88a8 or "
				    "ether[12:2] = 0x9100");
	rc = text.failed ? lya_error_nomem(err)
			 : program_compile(&p, expression, lya_text_str(&text), link, err);
	lya_text_fini(&text);
	*program = p.bpf;
	return rc;
}

bool capture_filter_used(const struct capture_filter *f)
{
	return f->n_links > 0;
}

static bool is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/* How many VLAN tags stand in front of the packet. */
static size_t frame_tags(const struct lya_frame *frame)
{
	size_t at = ETHER_TYPE_AT;
	size_t tags = 0;

	if (frame->link != LYA_LINK_ETHERNET)
		return 0;
	while (tags < TAGS_MAX && at + 2 <= frame->caplen &&
	       is_tag(capture_u16(frame->data + at, true))) {
		tags++;
		at += TAG_LEN;
	}
	return tags;
}

int capture_filter_match(struct capture_filter *f, const struct lya_frame *frame, bool *pass,
			 struct lya_error *err)
{
	struct link_programs *l = link_find(f, frame->link);
	size_t tags = f->names_vlan ? 0 : frame_tags(frame);
	struct pcap_pkthdr header = { .caplen = frame->caplen, .len = frame->wirelen };
	int rc = LYA_OK;

	*pass = false;
	if (l == NULL) {
		if (f->n_links == LINKS_MAX)
			return LYA_OK;
		rc = capture_filter_prepare(f, frame->link, err);
		l = link_find(f, frame->link);
	}
	if (rc != LYA_OK || l->never)
		return rc;
	if (!l->at[tags].ready)
		rc = program_make(f, l, tags, err);
	if (rc == LYA_OK)
		*pass = pcap_offline_filter(&l->at[tags].bpf, &header, frame->data) != 0;
	return rc;
}
