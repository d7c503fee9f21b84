/*
 * sentence_exception.c - the words for exceptions that have ended, will end, or waive nothing.
 */
#include "finding/sentence.h"

#include <inttypes.h>

/* what --------------------------------------------------------------------------- */

static const struct lya_exception *exception_of(const struct telling *t)
{
	return &t->ledger->site->exceptions[t->finding->exception];
}

void what_expired(const struct telling *t)
{
	say(t, "%" PRIu64 " flow%s would still need ", t->finding->flows,
	    t->finding->flows == 1 ? "" : "s");
	say_exception(t, t->finding->exception);
	say(t, ", which ended on %s.", exception_of(t)->expires);
}

void what_expiring(const struct telling *t)
{
	int64_t days = 0;

	(void)deployment_days_left(t->ledger->site, exception_of(t), t->ledger->end.last_ns,
				   &days);
	say(t, "The ");
	say_exception(t, t->finding->exception);
	if (days == 0)
		say(t, " ends today, %s.", exception_of(t)->expires);
	else
		say(t, " ends in %" PRId64 " day%s, on %s.", days, days == 1 ? "" : "s",
		    exception_of(t)->expires);
}

void what_unused(const struct telling *t)
{
	say(t, "No flow of this audit needed ");
	say_exception(t, t->finding->exception);
	end_sentence(t);
}

/* why ---------------------------------------------------------------------------- */

void why_expired(const struct telling *t)
{
	say(t,
	    "After its last day an exception waives nothing: the flows are judged like any other, "
	    "and have findings of their own.");
}

void why_expiring(const struct telling *t)
{
	int64_t used = 0;

	used = (int64_t)t->ledger->waived[t->finding->exception];
	if (used == 0)
		say(t, "Nothing in this audit needed it, so it may simply end.");
	else
		say(t,
		    "It waived %" PRId64 " flow%s of this audit; from the day after they will be "
		    "findings.",
		    used, used == 1 ? "" : "s");
}

void why_unused(const struct telling *t)
{
	say(t, "An exception that nothing needs is an opening that nobody watches%s.",
	    exception_of(t)->has_expiry ? "" : ", and this one has no last day");
}

/* fix ---------------------------------------------------------------------------- */

void fix_expired(const struct telling *t)
{
	say(t, "Stop the traffic, or have the exception %s renewed", exception_of(t)->id);
	if (exception_of(t)->owner != NULL)
		say(t, " by its owner (%s)", exception_of(t)->owner);
	end_sentence(t);
}

void fix_unused(const struct telling *t)
{
	say(t,
	    "Delete %s from the site description, and the opening in the firewall, once a capture "
	    "of a typical week shows no use either.",
	    exception_of(t)->id);
}
