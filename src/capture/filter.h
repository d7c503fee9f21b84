/*
 * filter.h - a pcap filter expression, applied to frames of any link type.
 *
 * The expression is about what the packet is, so on Ethernet it is asked
 * inside the VLAN tags of a tagged frame, where a plain pcap filter would
 * look at the tag and find nothing.  An expression that says `vlan` itself is
 * taken as it stands.
 */
#ifndef LYNCAUDIT_CAPTURE_FILTER_H
#define LYNCAUDIT_CAPTURE_FILTER_H

#include <stdbool.h>

#include "lyncaudit/frame.h"
#include "lyncaudit/status.h"

struct capture_filter;

/* The expression is copied; it is compiled when a link type is met. */
int capture_filter_new(struct capture_filter **f, const char *expression, struct lya_error *err);
void capture_filter_free(struct capture_filter *f);

/*
 * Compile for a link type.  LYA_EUSAGE with libpcap's reason when the
 * expression is wrong, or asks what the link type cannot answer.
 */
int capture_filter_prepare(struct capture_filter *f, uint16_t link, struct lya_error *err);
/* Whether any link type was prepared. */
bool capture_filter_used(const struct capture_filter *f);

/* *pass: does the frame satisfy the expression? */
int capture_filter_match(struct capture_filter *f, const struct lya_frame *frame, bool *pass,
			 struct lya_error *err);

/*
 * The same for a socket of the kernel's, which holds the outer VLAN tag of an
 * Ethernet frame beside it: a program that lets pass whatever the expression might,
 * tagged frames among them.  capture_filter_kernel: false when there is none,
 * because the expression asks of tags or lengths.  program is released with
 * pcap_freecode.
 */
bool capture_filter_kernel(const char *expression);
struct bpf_program;
int capture_filter_prefilter(const char *expression, uint16_t link, struct bpf_program *program,
			     struct lya_error *err);

#endif
