/*
 * evidence.c - packets of flows that have ended, for the findings that show them.
 */
#include "evidence/evidence.h"

#include "lyncaudit/alloc.h"

enum { MIN_BYTES = 256 * 1024 };

int lya_evidence_new(struct lya_evidence **out, size_t max_bytes, struct lya_error *err)
{
	struct lya_evidence *e = lya_calloc(1, sizeof(*e));

	*out = e;
	if (e == NULL)
		return lya_error_nomem(err);
	kept_init(&e->kept, max_bytes < MIN_BYTES ? (size_t)MIN_BYTES : max_bytes);
	return LYA_OK;
}

void lya_evidence_free(struct lya_evidence *e)
{
	if (e == NULL)
		return;
	kept_fini(&e->kept);
	lya_free(e);
}

/* Each leg by itself: findings name it so, wherever its flow is shown. */
static int put_legs(struct lya_evidence *e, const struct lya_ledger *ledger,
		    const struct lya_packets *legs)
{
	const struct packet_head *head = NULL;
	int rc = LYA_OK;

	while (rc == LYA_OK && (head = packets_next(legs, head)) != NULL) {
		struct lya_packets *one = NULL;

		rc = packets_add(&one, head, packet_data(head));
		packets_trim(&one);
		if (rc == LYA_OK)
			rc = kept_put(&e->kept, ledger, head->source, head->number, one);
	}
	return rc;
}

int lya_evidence_take(struct lya_evidence *e, const struct lya_ledger *ledger,
		      const struct lya_flow *flow, bool concerned, struct lya_trail_flow packets)
{
	int rc = LYA_OK;

	if (concerned && packets.first != NULL) {
		rc = kept_put(&e->kept, ledger, flow->source, flow->number, packets.first);
		packets.first = NULL; /* it was taken */
	}
	if (concerned && rc == LYA_OK)
		rc = put_legs(e, ledger, packets.legs);
	lya_packets_free(packets.first);
	lya_packets_free(packets.legs);
	return rc;
}
