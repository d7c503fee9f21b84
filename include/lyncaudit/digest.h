/*
 * digest.h - SHA-1, SHA-256 and what is made of them.
 */
#ifndef LYNCAUDIT_DIGEST_H
#define LYNCAUDIT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/addr.h"

enum { LYA_SHA256_HEX = 65, LYA_COMMUNITY_ID = 32 };

struct lya_digest; /* a SHA-256 in the making */

/* NULL when out of memory. */
struct lya_digest *lya_digest_new(void);
void lya_digest_add(struct lya_digest *d, const void *data, size_t len);
/* The hexadecimal SHA-256 of all that was added; frees d. */
void lya_digest_finish(struct lya_digest *d, char hex[static LYA_SHA256_HEX]);

/*
 * Community ID v1, seed 0, of a TCP or UDP flow: "1:" and base64 of SHA-1
 * (github.com/corelight/community-id-spec).  proto is the IP protocol number.
 */
void lya_community_id(const struct lya_addr *a, uint16_t aport, const struct lya_addr *b,
                      uint16_t bport, uint8_t proto, char out[static LYA_COMMUNITY_ID]);

#endif
