/*
 * user.c - from root to a user who owns nothing.
 */
#include "lyncaudit/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct passwd *look_up(const char *name)
{
	const struct passwd *pw = getpwnam(name);
	char *end;
	unsigned long uid;

	if (pw != NULL || name[0] < '0' || name[0] > '9')
		return pw;
	uid = strtoul(name, &end, 10);
	return *end == '\0' ? getpwuid((uid_t)uid) : NULL;
}

int lya_user_find(struct lya_user *user, const char *name, struct lya_error *err)
{
	const struct passwd *pw;

	*user = (struct lya_user){ .change = geteuid() == 0, .uid = getuid(), .gid = getgid() };
	if (!user->change)
		return LYA_OK;
	pw = look_up(name);
	if (pw == NULL)
		return lya_error_set(err, LYA_EUSAGE, NULL, NULL,
				     "there is no user \"%s\" who could read packets: --user names "
				     "another, systemd-sysusers or useradd -r makes one",
				     name);
	if (pw->pw_uid == 0)
		return lya_error_set(err, LYA_EUSAGE, NULL, NULL,
				     "\"%s\" is root, who must not read packets: --user names another",
				     name);
	user->uid = pw->pw_uid;
	user->gid = pw->pw_gid;
	(void)snprintf(user->name, sizeof(user->name), "%s", pw->pw_name);
	return LYA_OK;
}

int lya_user_become(const struct lya_user *user, struct lya_error *err)
{
	if (!user->change)
		return LYA_OK;
	if (setgroups(0, NULL) == -1 || setresgid(user->gid, user->gid, user->gid) == -1 ||
	    setresuid(user->uid, user->uid, user->uid) == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "cannot become user %s: %s", user->name,
				     strerror(errno));
	return LYA_OK;
}
