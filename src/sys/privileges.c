/*
 * privileges.c - no capability, and none to come.
 */
#include "sys/sys.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_drop_privileges(struct lya_error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2]; /* 64 capabilities in two words */

	memset(none, 0, sizeof(none));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL,
				     "new privileges cannot be forbidden: %s", strerror(errno));
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* an old kernel has none */
	if (syscall(SYS_capset, &header, none) == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL,
				     "capabilities cannot be given up: %s", strerror(errno));
	return LYA_OK;
}
