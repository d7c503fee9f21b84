/*
 * adapter.h - time stamps that a network card makes.
 */
#ifndef LYNCAUDIT_CAPTURE_ADAPTER_H
#define LYNCAUDIT_CAPTURE_ADAPTER_H

#include "lyncaudit/status.h"

/*
 * Have the frames of packet socket fd, which is to listen to interface `name`, stamped by
 * its network card.  LYA_EUSAGE: it offers none, or its clock is not the host's by more
 * than a second; LYA_EIO: it cannot be asked (that wants CAP_NET_ADMIN).
 */
int capture_adapter_time(int fd, const char *name, struct lya_error *err);

#endif
