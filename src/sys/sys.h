/*
 * sys.h - the parts of confinement.
 */
#ifndef LYNCAUDIT_SRC_SYS_H
#define LYNCAUDIT_SRC_SYS_H

#include "lyncaudit/confine.h"

/* Empty every capability set and forbid new privileges. */
int sys_drop_privileges(struct lya_error *err);

/* The kernel's Landlock ABI; 0 when it has none. */
int sys_landlock_abi(void);
int sys_landlock(const struct lya_confine *want, int abi, struct lya_error *err);

/* The kernel filters system calls. */
bool sys_seccomp_offered(void);
int sys_seccomp(const struct lya_confine *want, struct lya_error *err);

#endif
