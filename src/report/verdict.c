/*
 * verdict.c - what the whole audit says, in one word and one exit status.
 */
#include "report/report.h"

const char *lya_report_verdict_name(enum lya_report_verdict v)
{
	static const char *const names[] = {
		[LYA_REPORT_COMPLIANT] = "compliant",
		[LYA_REPORT_NON_COMPLIANT] = "non-compliant",
		[LYA_REPORT_INCOMPLETE] = "incomplete",
	};

	return names[v];
}

int lya_report_exit_status(enum lya_report_verdict v)
{
	return v == LYA_REPORT_NON_COMPLIANT ? 1 : v == LYA_REPORT_INCOMPLETE ? 3 : 0;
}

bool lya_report_judged(const struct lya_report_input *in)
{
	struct lya_ledger_counts counts;

	lya_ledger_counts(in->ledger, &counts);
	return counts.flows > counts.verdicts[LYA_VERDICT_OUT_OF_SCOPE] +
				      counts.verdicts[LYA_VERDICT_UNDETERMINED];
}

bool lya_report_complete(const struct lya_report_input *in)
{
	struct lya_ledger_counts counts;

	lya_ledger_counts(in->ledger, &counts);
	if (in->totals.interrupted || in->totals.gaps || in->flow_stats.evicted > 0 ||
	    counts.verdicts[LYA_VERDICT_UNDETERMINED] > 0 || !lya_report_judged(in) ||
	    (in->night != NULL && in->night->n_gaps > 0))
		return false;
	for (size_t i = 0; i < in->n_sources; i++) {
		const struct lya_source *s = &in->sources[i];

		/* What is in a directory and no capture was never evidence. */
		if (!s->skipped && (s->truncated || s->dropped > 0 || s->error != NULL))
			return false;
	}
	return true;
}

enum lya_report_verdict lya_report_verdict(const struct lya_report_input *in)
{
	struct lya_ledger_counts counts;

	lya_ledger_counts(in->ledger, &counts);
	for (unsigned s = 0; s <= in->fail_on; s++) {
		if (counts.findings[s] > 0)
			return LYA_REPORT_NON_COMPLIANT;
	}
	return lya_report_complete(in) ? LYA_REPORT_COMPLIANT : LYA_REPORT_INCOMPLETE;
}
