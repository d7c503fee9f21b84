/*
 * confine.c - give up rights, in the order in which each step still may.
 */
#include "sys/sys.h"

/*
 * The leak checker of a sanitized build traces its own process at exit and
 * hangs where it may not: such a build, which is no product, gives up its
 * capabilities alone.  gcc and clang tell it differently.
 */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef UNDER_ADDRESS_SANITIZER
#define UNDER_ADDRESS_SANITIZER 0
#endif

void lya_confine_offer(struct lya_confined *offer)
{
	offer->landlock_abi = sys_landlock_abi();
	offer->seccomp = sys_seccomp_offered();
}

int lya_confine_powers(struct lya_error *err)
{
	return sys_drop_privileges(err);
}

int lya_confine(const struct lya_confine *want, struct lya_confined *got, struct lya_error *err)
{
	int rc;

	lya_confine_offer(got);
	rc = sys_drop_privileges(err);
	if (UNDER_ADDRESS_SANITIZER)
		return rc;
	if (rc == LYA_OK && got->landlock_abi > 0)
		rc = sys_landlock(want, got->landlock_abi, err);
	if (rc == LYA_OK && got->seccomp)
		rc = sys_seccomp(want, err);
	return rc;
}
