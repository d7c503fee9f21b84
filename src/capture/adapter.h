/*
 * adapter.h - time stamps that a network card makes.
 */
#ifndef LYNCAUDIT_CAPTURE_ADAPTER_H
#define LYNCAUDIT_CAPTURE_ADAPTER_H

#include "lyncaudit/status.h"

/*
 * Have network card `name` stamp what it receives, asked through any socket fd.  LYA_EUSAGE: it
 * offers none, or its clock is not the host's by more than a second; LYA_EIO: it cannot be asked
 * (that wants CAP_NET_ADMIN).
 */
int capture_adapter_switch_on(int fd, const char *name, struct lya_error *err);

/* Have the frames of packet socket fd, which is to listen to it, bear these stamps. */
int capture_adapter_stamp(int fd, const char *name, struct lya_error *err);

#endif
