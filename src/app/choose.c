/*
 * choose.c - which machine a stream's first bytes ask for.
 *
 * The answer for n bytes is either "more" or the answer for any longer run of
 * the same bytes: so it does not matter where the first segment ends.
 */
#include "app/machine.h"

/* A TLS record's first three bytes; a handshake must go on with a hello. */
static enum app_machine choose_tls(const uint8_t *p, size_t n)
{
	if (p[0] < 20 || p[0] > 23)
		return APP_DEAD;
	if (n < 3)
		return n == 2 && p[1] != 3 ? APP_DEAD : APP_SNIFF;
	return p[1] == 3 && p[2] <= 4 ? APP_TLS_MACHINE : APP_DEAD;
}

enum app_machine app_choose(const uint8_t *p, size_t n)
{
	if (n == 0)
		return APP_SNIFF;
	if ((p[0] >= 'A' && p[0] <= 'Z') || p[0] == '\r' || p[0] == '\n')
		return APP_LINE_MACHINE;
	return choose_tls(p, n);
}
