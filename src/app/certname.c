/*
 * certname.c - the names in an X.509 certificate.
 *
 * A walk over DER (X.690) that goes down only where names are: the subject's
 * common name, and the dNSNames of the subjectAltName extension.  Every length
 * is checked against the element that holds it; there is no recursion.
 */
#include "app/machine.h"

#include <string.h>

enum {
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_UTF8 = 0x0C,
	TAG_PRINTABLE = 0x13,
	TAG_T61 = 0x14,
	TAG_IA5 = 0x16,
	TAG_BMP = 0x1E,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_DNS_NAME = 0x82,  /* [2] in GeneralName */
	TAG_VERSION = 0xA0,   /* [0] in TBSCertificate */
	TAG_EXTENSIONS = 0xA3 /* [3] */
};

struct names {
	struct lya_app_state *st;
	unsigned side;
	unsigned told;
};

/* The next element of c: its tag, and its contents in *body.  -1 at the end or when it is none. */
static int next(struct lya_cursor *c, struct lya_cursor *body)
{
	uint8_t tag = lya_cursor_u8(c);
	uint8_t first = lya_cursor_u8(c);
	size_t len = first;
	const uint8_t *p;

	if (first & 0x80) {
		unsigned n = first & 0x7F;

		if (n == 0 || n > 3) /* indefinite is no DER; no certificate has 16 MiB */
			return -1;
		for (len = 0; n > 0; n--)
			len = len << 8 | lya_cursor_u8(c);
	}
	p = lya_cursor_take(c, len);
	if (p == NULL)
		return -1;
	*body = lya_cursor_of(p, len);
	return tag;
}

/* Enter the next element of c, which must have this tag. */
static bool enter(struct lya_cursor *c, int tag, struct lya_cursor *body)
{
	return next(c, body) == tag;
}

static bool is_oid(const struct lya_cursor *c, uint8_t last)
{
	const uint8_t *p = c->pos; /* 2.5.4.3 is 55 04 03, 2.5.29.17 is 55 1D 11 */

	return lya_cursor_left(c) == 3 && p[0] == 0x55 && p[1] == (last == 3 ? 0x04 : 0x1D) &&
	       p[2] == last;
}

/* Tell one name; step is 2 for BMPString, whose characters have two bytes. */
static void tell(struct names *names, const struct lya_cursor *c, size_t step, bool common)
{
	char text[LYA_DNS_NAME];
	size_t len = lya_cursor_left(c);
	size_t n = 0;

	if (len == 0 || len % step != 0 || len / step >= sizeof(text) ||
	    names->told >= LYA_CERT_NAMES_MAX)
		return;
	for (size_t i = 0; i < len; i += step) {
		uint8_t ch = c->pos[i + step - 1];

		if (ch < ' ' || ch >= 0x7F || (step == 2 && c->pos[i] != 0))
			return;
		text[n++] = (char)ch;
	}
	text[n] = '\0';
	names->told++;
	names->st->obs->on_cert_name(names->st->obs->ctx, names->side, text, common);
}

/* Name: a sequence of sets of (type, value). */
static void read_subject(struct names *names, struct lya_cursor subject)
{
	struct lya_cursor set, pair, oid, value;

	while (enter(&subject, TAG_SET, &set)) {
		while (enter(&set, TAG_SEQUENCE, &pair)) {
			int tag;

			if (!enter(&pair, TAG_OID, &oid) || !is_oid(&oid, 3))
				continue;
			tag = next(&pair, &value);
			if (tag == TAG_UTF8 || tag == TAG_PRINTABLE || tag == TAG_IA5 ||
			    tag == TAG_T61)
				tell(names, &value, 1, true);
			else if (tag == TAG_BMP)
				tell(names, &value, 2, true);
		}
	}
}

/* SubjectAltName: a sequence of GeneralName. */
static void read_alternatives(struct names *names, struct lya_cursor octets)
{
	struct lya_cursor list, name;
	int tag;

	if (!enter(&octets, TAG_SEQUENCE, &list))
		return;
	while ((tag = next(&list, &name)) != -1)
		if (tag == TAG_DNS_NAME)
			tell(names, &name, 1, false);
}

/* Extensions: a sequence of (id, critical if true, value). */
static void read_extensions(struct names *names, struct lya_cursor wrapped)
{
	struct lya_cursor list, ext, oid, value;

	if (!enter(&wrapped, TAG_SEQUENCE, &list))
		return;
	while (enter(&list, TAG_SEQUENCE, &ext)) {
		int tag;

		if (!enter(&ext, TAG_OID, &oid) || !is_oid(&oid, 17))
			continue;
		do
			tag = next(&ext, &value);
		while (tag != -1 && tag != TAG_OCTETS);
		if (tag == TAG_OCTETS)
			read_alternatives(names, value);
	}
}

void app_certificate(struct lya_app_state *st, unsigned side, const uint8_t *der, size_t len)
{
	struct names names = { .st = st, .side = side };
	struct lya_cursor all = lya_cursor_of(der, len), certificate, tbs, part, ahead;
	int tag;

	if (!enter(&all, TAG_SEQUENCE, &certificate) || !enter(&certificate, TAG_SEQUENCE, &tbs))
		return;
	ahead = tbs;
	if (next(&ahead, &part) == TAG_VERSION)
		tbs = ahead;
	for (int i = 0; i < 4; i++) /* serial, signature, issuer, validity */
		if (next(&tbs, &part) == -1)
			return;
	if (!enter(&tbs, TAG_SEQUENCE, &part))
		return;
	read_subject(&names, part);
	while ((tag = next(&tbs, &part)) != -1)
		if (tag == TAG_EXTENSIONS)
			read_extensions(&names, part);
}
