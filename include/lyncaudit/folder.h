/*
 * folder.h - the folder in which a path's last part stands, held open.
 *
 * What is done by its descriptor and that last part is done there, whatever takes the
 * folder's name meanwhile.
 *
 * A folder may be guarded: one below which somebody with fewer rights writes, who could put
 * a symbolic link in the place of a folder or of a file.  From it on no link is followed.
 * Links that lead there are: they are somebody else's.
 */
#ifndef LYNCAUDIT_FOLDER_H
#define LYNCAUDIT_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct lya_folder {
	int fd;                  /* good for calls that take a folder, not for reading it */
	bool guarded;            /* it is the guarded folder, or lies below it */
	bool passed;             /* the way leads through that folder, if only to leave it by ".." */
	char name[NAME_MAX + 1]; /* the last part; "." for none */
};

/*
 * guard: a descriptor of the guarded folder, -1 for none; it stays the caller's.  0, or -1 and
 * errno: ELOOP where a symbolic link is in the way (lya_folder_error has words for it).
 */
int lya_folder_open(struct lya_folder *f, const char *path, int guard);
void lya_folder_close(struct lya_folder *f);
/* open(2) with a guard; the descriptor, closed on exec, or -1 and errno as above. */
int lya_folder_file(const char *path, int guard, int flags, mode_t mode);
const char *lya_folder_error(int error);

#endif
