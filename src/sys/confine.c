/*
 * confine.c - give up rights, in the order in which each step still may.
 */
#include "sys/sys.h"

void lya_confine_offer(struct lya_confined *offer)
{
	offer->landlock_abi = sys_landlock_abi();
	offer->seccomp = sys_seccomp_offered();
}

int lya_confine(const struct lya_confine *want, struct lya_confined *got, struct lya_error *err)
{
	int rc;

	lya_confine_offer(got);
	rc = sys_drop_privileges(err);
	if (rc == LYA_OK && got->landlock_abi > 0)
		rc = sys_landlock(want, got->landlock_abi, err);
	if (rc == LYA_OK && got->seccomp)
		rc = sys_seccomp(err);
	return rc;
}
