/*
 * interface.h - what a capture says of its interfaces.
 */
#ifndef LYNCAUDIT_CAPTURE_INTERFACE_H
#define LYNCAUDIT_CAPTURE_INTERFACE_H

#include "capture/budget.h"
#include "lyncaudit/capture.h"

/*
 * Add the interface of that number; its name are name_len bytes, and may be none.
 * all NULL: nobody wants to know.  What does not fit is left out, and so is
 * everything after it.  LYA_OK or LYA_ENOMEM.
 */
int capture_interfaces_add(struct lya_interfaces *all, size_t number,
			   struct capture_cap *cap, const struct lya_interface *what,
			   const void *name, size_t name_len, struct lya_error *err);
void capture_interfaces_clear(struct lya_interfaces *all, struct capture_cap *cap);

#endif
