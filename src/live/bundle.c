/*
 * bundle.c - configuration files as bytes.
 *
 *	[name length, text length, name, text] ...   the site first; 32-bit numbers
 *
 * Both ends are this program, and who packs is the one with more rights: what is
 * unpacked is checked all the same, so that a mistake is an error and no crash.
 */
#include "live/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/folder.h"
#include "lyncaudit/json.h"

enum { CHUNK = 65536, FILES_MAX = 10000 };

struct lengths {
	uint32_t name, text;
};

/* Packing ------------------------------------------------------------------ */

static int write_all(int fd, const void *data, size_t len, struct lya_error *err)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return lya_error_set(err, LYA_EIO, NULL, NULL,
					     "configuration cannot be handed over: %s",
					     strerror(errno));
		at += n;
		len -= (size_t)n;
	}
	return LYA_OK;
}

/* The rest of file `from` to the end of `to`; *len: how much it was. */
static int copy_text(int to, int from, const char *path, size_t *len, struct lya_error *err)
{
	char chunk[CHUNK];
	int rc = LYA_OK;

	*len = 0;
	while (rc == LYA_OK) {
		ssize_t n = read(from, chunk, sizeof(chunk));

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return lya_error_set(err, LYA_EIO, path, NULL, "cannot be read: %s",
					     strerror(errno));
		if (n == 0)
			return LYA_OK;
		*len += (size_t)n;
		if (*len > LYA_JSON_BYTES_MAX)
			return lya_error_set(err, LYA_EINPUT, path, NULL,
					     "wanted at most %d bytes, found more",
					     (int)LYA_JSON_BYTES_MAX);
		rc = write_all(to, chunk, (size_t)n, err);
	}
	return rc;
}

/* The lengths are known, and written, last. */
static int pack_open(int to, int from, const char *path, struct lya_error *err)
{
	struct lengths lengths = { .name = (uint32_t)strlen(path) };
	off_t place = lseek(to, 0, SEEK_CUR);
	size_t len;
	int rc = write_all(to, &lengths, sizeof(lengths), err);

	if (rc == LYA_OK)
		rc = write_all(to, path, lengths.name + 1, err);
	if (rc == LYA_OK)
		rc = copy_text(to, from, path, &len, err);
	if (rc == LYA_OK)
		rc = write_all(to, "", 1, err);
	if (rc != LYA_OK)
		return rc;
	lengths.text = (uint32_t)len;
	if (place == -1 || pwrite(to, &lengths, sizeof(lengths), place) != (ssize_t)sizeof(lengths))
		return lya_error_set(err, LYA_EIO, path, NULL, "cannot be handed over: %s",
				     strerror(errno));
	return LYA_OK;
}

/* Below the state directory a link could make us hand over what others may not read. */
static int pack_file(int to, const char *path, int guard, struct lya_error *err)
{
	int wait = guard == -1 ? 0 : O_NONBLOCK; /* a pipe put there must not make us wait, either */
	int from = lya_folder_file(path, guard, O_RDONLY | O_NOCTTY | wait, 0);
	struct stat st;
	int rc;

	if (from == -1)
		return lya_error_set(err, LYA_EIO, path, NULL, "cannot be opened: %s",
				     lya_folder_error(errno));
	if (guard != -1 && (fstat(from, &st) == -1 || !S_ISREG(st.st_mode)))
		rc = lya_error_set(err, LYA_EIO, path, NULL, "is no regular file");
	else
		rc = pack_open(to, from, path, err);
	(void)close(from);
	return rc;
}

static int pack_rules(int to, const char *rules, int guard, struct lya_error *err)
{
	char **paths;
	size_t n;
	int rc = lya_rules_files(rules, &paths, &n, err);

	if (rc == LYA_OK && n > FILES_MAX)
		rc = lya_error_set(err, LYA_EINPUT, rules, NULL,
				   "wanted at most %d rule files, found %zu", FILES_MAX, n);
	for (size_t i = 0; rc == LYA_OK && i < n; i++)
		rc = pack_file(to, paths[i], guard, err);
	for (size_t i = 0; i < n; i++)
		lya_free(paths[i]);
	lya_free(paths);
	return rc;
}

int bundle_pack(int *fd, const char *site, const char *rules, int guard, struct lya_error *err)
{
	int rc;

	*fd = memfd_create("lyncaudit-configuration", MFD_CLOEXEC);
	if (*fd == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL,
				     "there is no memory for configuration: %s", strerror(errno));
	rc = pack_file(*fd, site, guard, err);
	if (rc == LYA_OK)
		rc = pack_rules(*fd, rules, guard, err);
	if (rc != LYA_OK) {
		(void)close(*fd);
		*fd = -1;
	}
	return rc;
}

/* Unpacking ---------------------------------------------------------------- */

/* One file at *at of b; false: it does not end where it should. */
static bool unpack_file(const struct bundle *b, size_t *at, struct lya_rules_file *t)
{
	char *bytes = b->map;
	struct lengths lengths;
	size_t left = b->len - *at;

	if (left < sizeof(lengths))
		return false;
	memcpy(&lengths, bytes + *at, sizeof(lengths));
	left -= sizeof(lengths);
	if (left < 2 || lengths.name > left - 2 || lengths.text > left - 2 - lengths.name)
		return false;
	t->name = bytes + *at + sizeof(lengths);
	t->text = t->name + lengths.name + 1;
	t->len = lengths.text;
	*at += sizeof(lengths) + lengths.name + lengths.text + 2;
	return t->name[lengths.name] == '\0' && t->text[lengths.text] == '\0';
}

static int unpack_all(struct bundle *b, struct lya_error *err)
{
	size_t at = 0, cap = 0;
	bool good = unpack_file(b, &at, &b->site);

	while (good && at < b->len) {
		if (lya_grow((void **)&b->rules, &cap, b->n_rules + 1, sizeof(*b->rules)) != LYA_OK)
			return lya_error_nomem(err);
		good = unpack_file(b, &at, &b->rules[b->n_rules]);
		b->n_rules++;
	}
	return good ? LYA_OK
		    : lya_error_set(err, LYA_EINPUT, "configuration", NULL, "was not handed over whole");
}

int bundle_unpack(struct bundle *b, int fd, struct lya_error *err)
{
	struct stat st;
	int rc;

	*b = (struct bundle){ .map = NULL };
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		b->len = (size_t)st.st_size;
		b->map = mmap(NULL, b->len, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	(void)close(fd);
	if (b->map == NULL || b->map == MAP_FAILED) {
		b->map = NULL;
		return lya_error_set(err, LYA_EIO, "configuration", NULL, "cannot be taken over");
	}
	rc = unpack_all(b, err);
	if (rc != LYA_OK)
		bundle_fini(b);
	return rc;
}

void bundle_fini(struct bundle *b)
{
	if (b->map != NULL)
		(void)munmap(b->map, b->len);
	lya_free(b->rules);
	*b = (struct bundle){ .map = NULL };
}
