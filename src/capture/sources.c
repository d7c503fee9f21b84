/*
 * sources.c - what there is to read: arguments, directories, first times.
 *
 * Every source is looked at before the first frame is given, so that a wrong
 * name fails at once.  What was named must be a capture; what lies in a
 * directory may be anything, and is listed with the reason when it is passed
 * over.
 */
#include "capture/state.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/wire.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* Names of a directory's entries, to be sorted. */
struct names {
	char **list;
	size_t n, cap;
};

static void names_fini(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		lya_free(names->list[i]);
	lya_free(names->list);
}

static int names_add(struct names *names, const char *dir, const char *entry)
{
	struct lya_text text = { 0 };
	void *list = names->list;
	size_t len = strlen(dir);

	if (lya_grow(&list, &names->cap, names->n + 1, sizeof(*names->list)) != LYA_OK)
		return LYA_ENOMEM;
	names->list = list;
	lya_text_add(&text, dir);
	if (len > 0 && dir[len - 1] != '/')
		lya_text_add(&text, "/");
	lya_text_add(&text, entry);
	names->list[names->n] = text.failed ? NULL : lya_strdup(lya_text_str(&text));
	lya_text_fini(&text);
	return names->list[names->n] == NULL ? LYA_ENOMEM : (names->n++, LYA_OK);
}

static int names_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(struct names *names, const char *path, struct lya_error *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL)
		return lya_error_set(err, LYA_EINPUT, path, NULL,
				     "wanted a directory to list, found: %s", strerror(errno));
	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (names_add(names, path, entry->d_name) != LYA_OK) {
			closedir(dir);
			return lya_error_nomem(err);
		}
	}
	if (errno != 0) {
		lya_error_set(err, LYA_EIO, path, NULL, "cannot be listed: %s", strerror(errno));
		closedir(dir);
		return LYA_EIO;
	}
	closedir(dir);
	if (names->n > 0)
		qsort(names->list, names->n, sizeof(*names->list), names_cmp);
	return LYA_OK;
}

int capture_source_add(struct lya_capture *c, const char *given, const char *name,
		       const char *kind, uint32_t *at, struct lya_error *err)
{
	void *sources = c->sources;
	void *inputs = c->inputs;

	if (c->n_sources >= UINT32_MAX)
		return lya_error_set(err, LYA_ELIMIT, name, NULL, "too many inputs");
	if (lya_grow(&sources, &c->cap_sources, c->n_sources + 1, sizeof(*c->sources)) != LYA_OK)
		return lya_error_nomem(err);
	c->sources = sources;
	if (lya_grow(&inputs, &c->cap_inputs, c->n_sources + 1, sizeof(*c->inputs)) != LYA_OK)
		return lya_error_nomem(err);
	c->inputs = inputs;
	c->sources[c->n_sources] = (struct lya_source){
		.name = lya_strdup(name),
		.kind = kind,
		.first_ns = LYA_TIME_NONE,
		.last_ns = LYA_TIME_NONE,
		.digits = 6,
		.unread = true,
	};
	c->inputs[c->n_sources] =
	    (struct capture_input){ .given = given, .before_ns = LYA_TIME_NONE };
	if (c->sources[c->n_sources].name == NULL)
		return lya_error_nomem(err);
	*at = (uint32_t)c->n_sources++;
	return LYA_OK;
}

/* The source is that regular file. */
static void file_note(struct lya_capture *c, uint32_t s, const struct stat *st)
{
	c->sources[s].dev = st->st_dev;
	c->sources[s].ino = st->st_ino;
	c->bytes_total += (uint64_t)st->st_size;
}

/* Pass the source over, and say why. */
static int source_skip(struct lya_capture *c, uint32_t s, const char *why, struct lya_error *err)
{
	c->sources[s].skipped = true;
	c->sources[s].error = lya_strdup(why);
	return c->sources[s].error == NULL ? lya_error_nomem(err) : LYA_OK;
}

/* One entry of a directory. */
static int entry_add(struct lya_capture *c, const char *dir, const char *name,
		     struct lya_error *err)
{
	struct stat st;
	uint32_t s;
	int rc = capture_source_add(c, dir, name, "file", &s, err);

	if (rc != LYA_OK)
		return rc;
	c->inputs[s].in_directory = true;
	if (stat(name, &st) == -1)
		return source_skip(c, s, strerror(errno), err);
	if (S_ISDIR(st.st_mode))
		return source_skip(c, s, "a directory inside a directory: name it to read it", err);
	if (!S_ISREG(st.st_mode)) /* opening a pipe or a device could wait for ever */
		return source_skip(c, s, "not a regular file", err);
	file_note(c, s, &st);
	return LYA_OK;
}

static int directory_add(struct lya_capture *c, const char *path, struct lya_error *err)
{
	struct names names = { 0 };
	int rc = names_read(&names, path, err);

	for (size_t i = 0; rc == LYA_OK && i < names.n; i++)
		rc = entry_add(c, path, names.list[i], err);
	if (rc == LYA_OK && names.n == 0)
		rc = lya_error_set(err, LYA_EINPUT, path, NULL,
				   "wanted a directory with captures, found an empty one");
	names_fini(&names);
	return rc;
}

static int stdin_add(struct lya_capture *c, const char *given, struct lya_error *err)
{
	uint32_t s;
	int rc;

	for (size_t i = 0; i < c->n_sources; i++) {
		if (strcmp(c->sources[i].kind, "stdin") == 0)
			return lya_error_set(err, LYA_EUSAGE, "-", NULL,
					     "standard input can be read only once");
	}
	rc = capture_source_add(c, given, "-", "stdin", &s, err);
	if (rc == LYA_OK)
		c->inputs[s].stays = true;
	return rc;
}

static int path_add(struct lya_capture *c, const char *path, struct lya_error *err)
{
	struct stat st;
	uint32_t s;
	int rc;

	if (strcmp(path, "-") == 0)
		return stdin_add(c, path, err);
	if (stat(path, &st) == -1)
		return lya_error_set(err, LYA_EINPUT, path, NULL, "wanted a capture, cannot open it: %s",
				     strerror(errno));
	if (S_ISDIR(st.st_mode))
		return directory_add(c, path, err);
	rc = capture_source_add(c, path, path, "file", &s, err);
	if (rc != LYA_OK)
		return rc;
	c->inputs[s].stays = !S_ISREG(st.st_mode);
	if (S_ISREG(st.st_mode))
		file_note(c, s, &st);
	return LYA_OK;
}

/* Time offsets ------------------------------------------------------------ */

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool offset_fits(const struct lya_capture *c, size_t s, const char *name)
{
	return strcmp(name, c->sources[s].name) == 0 || strcmp(name, c->inputs[s].given) == 0 ||
	       strcmp(name, last_part(c->sources[s].name)) == 0 ||
	       strcmp(name, last_part(c->inputs[s].given)) == 0;
}

int capture_sources_offset(struct lya_capture *c, const struct lya_capture_offset *offsets, size_t n,
			   struct lya_error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct lya_capture_offset *o = &offsets[i];
		bool used = false;

		for (size_t s = 0; s < c->n_sources; s++) {
			if (!offset_fits(c, s, o->name))
				continue;
			c->sources[s].time_offset_ns = capture_time_add(o->offset_ns, 0);
			used = true;
		}
		if (!used)
			return lya_error_set(err, LYA_EUSAGE, "time offset", NULL,
					     "no input is called \"%s\"", o->name);
	}
	return LYA_OK;
}

int capture_sources_find(struct lya_capture *c, const struct lya_capture_options *options,
			 struct lya_error *err)
{
	if (options->n_paths == 0)
		return lya_error_set(err, LYA_EUSAGE, NULL, NULL, "no capture to read was named");
	for (size_t i = 0; i < options->n_paths; i++) {
		int rc = path_add(c, options->paths[i], err);

		if (rc != LYA_OK)
			return rc;
	}
	return capture_sources_offset(c, options->offsets, options->n_offsets, err);
}

/* First times ------------------------------------------------------------- */

/* Whether a failure to open is the file's own, for which one in a directory is passed over. */
static bool is_own_fault(int rc)
{
	return rc == LYA_EINPUT || rc == LYA_EIO;
}

/*
 * The file could not be opened as a capture.  In a directory it is passed
 * over when it is none; one that might be, and cannot be read, is evidence
 * that is missing.
 */
static int probe_failed(struct lya_capture *c, uint32_t s, int rc, struct lya_error *err)
{
	char why[LYA_ERROR_LEN];

	if (!is_own_fault(rc))
		return capture_lane_error(c, s, rc, err);
	memcpy(why, err->text, sizeof(why));
	if (c->inputs[s].in_directory) {
		rc = source_skip(c, s, why, err);
		c->sources[s].skipped = err->status == LYA_EINPUT;
		return rc;
	}
	return lya_error_set(err, LYA_EINPUT, c->sources[s].name, NULL, "%s", why);
}

/* Learn the time of the first packet; close the file again unless it stays open. */
static int probe_first(struct lya_capture *c, struct capture_lane *lane, struct lya_error *err)
{
	struct capture_input *in = &c->inputs[lane->source];
	int rc = capture_reader_next(lane->reader, lane->frames, 1, &lane->n, err);

	if (rc != LYA_OK)
		return capture_lane_error(c, lane->source, rc, err);
	if (lane->n == 0)
		return capture_lane_finish(c, lane, err);
	in->first_ns = lane->frames[0].time_ns;
	in->pending = true;
	if (c->filter != NULL) {
		rc = capture_filter_prepare(c->filter, lane->frames[0].link, err);
		if (rc != LYA_OK)
			return rc;
	}
	if (!in->stays) {
		capture_lane_drop(c, lane);
		c->bytes_done = 0; /* it is read again */
	}
	return LYA_OK;
}

static int probe(struct lya_capture *c, uint32_t s, struct lya_error *err)
{
	struct lya_error why = { .status = LYA_OK };
	int rc = capture_lane_open(c, s, CAPTURE_BUFFER_SMALL, &why);

	if (rc == LYA_OK)
		return probe_first(c, c->inputs[s].lane, err);
	rc = probe_failed(c, s, rc, &why);
	if (rc != LYA_OK && err != NULL)
		*err = why;
	return rc;
}

/* A directory that was named must hold a capture. */
static int directories_check(const struct lya_capture *c, struct lya_error *err)
{
	size_t s = 0;

	while (s < c->n_sources) {
		const char *given = c->inputs[s].given;
		bool found = false;
		size_t first = s;

		for (; s < c->n_sources && c->inputs[s].given == given; s++)
			found = found || c->inputs[s].was_open;
		if (!found)
			return lya_error_set(err, LYA_EINPUT, given, NULL,
					     "wanted a directory with captures, found %zu other "
					     "%s %s (%s)",
					     s - first,
					     s - first == 1 ? "entry," : "entries, the first of them",
					     last_part(c->sources[first].name),
					     c->sources[first].error);
	}
	return LYA_OK;
}

int capture_sources_probe(struct lya_capture *c, struct lya_error *err)
{
	/* With nothing to merge there is no reason to open it twice. */
	if (c->n_sources == 1)
		c->inputs[0].stays = true;
	for (uint32_t s = 0; s < c->n_sources; s++) {
		int rc = c->sources[s].skipped ? LYA_OK : probe(c, s, err);

		if (rc != LYA_OK)
			return rc;
	}
	return directories_check(c, err);
}

void capture_sources_free(struct lya_capture *c)
{
	for (size_t s = 0; s < c->n_sources; s++) {
		if (c->inputs[s].lane != NULL)
			capture_lane_drop(c, c->inputs[s].lane);
		lya_free(c->sources[s].name);
		lya_free(c->sources[s].error);
		capture_interfaces_clear(&c->sources[s].interfaces, &c->cap);
	}
	lya_free(c->sources);
	lya_free(c->inputs);
}
