/*
 * follow.c - a folder into which another program writes captures.
 */
#include "capture/follow.h"
#include "capture/interface.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

#define LOOK_NS (CAPTURE_FOLLOW_LOOK_MS * (LYA_SECOND_NS / 1000))

static int64_t time_of(const struct timespec *t)
{
	return t->tv_sec * LYA_SECOND_NS + t->tv_nsec;
}

static int64_t steady_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return time_of(&now);
}

static bool same_file(const struct capture_followed *a, const struct capture_followed *b)
{
	return a->dev == b->dev && a->ino == b->ino && strcmp(a->name, b->name) == 0;
}

/* Telling ------------------------------------------------------------------- */

/* What lay between the last frame and the time at which that file was written is lost. */
static void tell_lost(struct capture_follow *f, const struct capture_followed *file, const char *how)
{
	char what[320];
	struct lya_capture_event event = { .kind = LYA_CAPTURE_GAP, .to_ns = file->written_ns,
					   .over = true, .what = what };

	if (f->on_event == NULL)
		return;
	event.from_ns = f->last_ns != LYA_TIME_NONE && f->last_ns < file->written_ns
			    ? f->last_ns
			    : file->written_ns - 1;
	(void)snprintf(what, sizeof(what), "%.200s %s", file->name, how);
	f->on_event(f->ctx, &event);
}

/* Looking ------------------------------------------------------------------- */

static bool look_at(const char *path, struct capture_followed *file)
{
	struct stat st;

	if (stat(path, &st) == -1 || !S_ISREG(st.st_mode))
		return false;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->written_ns = time_of(&st.st_mtim);
	file->size = st.st_size;
	return true;
}

static struct capture_followed *find(struct capture_follow *f, const struct capture_followed *file)
{
	for (size_t i = 0; i < f->n; i++) {
		if (same_file(&f->list[i], file))
			return &f->list[i];
	}
	return NULL;
}

/* Take what was found over into the list; its name is owned from here on. */
static int note_file(struct capture_follow *f, struct capture_followed *found, struct lya_error *err)
{
	struct capture_followed *known = find(f, found);

	if (known != NULL) {
		if (known->done &&
		    (known->written_ns != found->written_ns || known->size != found->size))
			known->done = false; /* it was written anew */
		known->written_ns = found->written_ns;
		known->size = found->size;
		known->there = true;
		lya_free(found->name);
		return LYA_OK;
	}
	if (lya_grow((void **)&f->list, &f->cap, f->n + 1, sizeof(*f->list)) != LYA_OK) {
		lya_free(found->name);
		return lya_error_nomem(err);
	}
	found->there = true;
	f->list[f->n++] = *found;
	return LYA_OK;
}

static int note_entry(struct capture_follow *f, const char *entry, struct lya_error *err)
{
	struct capture_followed found = { .done = false };
	size_t len = strlen(f->dir) + strlen(entry) + 2;

	found.name = lya_malloc(len);
	if (found.name == NULL)
		return lya_error_nomem(err);
	(void)snprintf(found.name, len, "%s/%s", f->dir, entry);
	if (look_at(found.name, &found))
		return note_file(f, &found, err);
	lya_free(found.name);
	return LYA_OK;
}

/* Forget what is gone; what was never read is lost. */
static void drop_gone(struct capture_follow *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct capture_followed *file = &f->list[i];
		bool open = f->reader != NULL && same_file(file, &f->open);

		if (file->there) {
			f->list[kept++] = *file;
			continue;
		}
		if (!file->done && !open)
			tell_lost(f, file, "was deleted before it was read");
		lya_free(file->name);
	}
	f->n = kept;
}

static int look(struct capture_follow *f, struct lya_error *err)
{
	DIR *dir = opendir(f->dir);
	struct dirent *entry;
	int rc = LYA_OK;

	f->looked_ns = steady_ns();
	if (dir == NULL)
		return lya_error_set(err, LYA_EINPUT, f->dir, NULL,
				     "wanted a folder of captures, found: %s", strerror(errno));
	for (size_t i = 0; i < f->n; i++)
		f->list[i].there = false;
	while (rc == LYA_OK && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			rc = note_entry(f, entry->d_name, err);
	}
	(void)closedir(dir);
	if (rc == LYA_OK)
		drop_gone(f);
	return rc;
}

/* Of those that are still to be read the one that was written first; NULL: none. */
static struct capture_followed *first_waiting(struct capture_follow *f)
{
	struct capture_followed *first = NULL;

	for (size_t i = 0; i < f->n; i++) {
		struct capture_followed *file = &f->list[i];

		if (file->done || (f->reader != NULL && same_file(file, &f->open)))
			continue;
		if (first == NULL || file->written_ns < first->written_ns ||
		    (file->written_ns == first->written_ns && strcmp(file->name, first->name) < 0))
			first = file;
	}
	return first;
}

/* Files ---------------------------------------------------------------------- */

static void close_file(struct lya_capture *c)
{
	struct capture_follow *f = c->follow;
	struct capture_followed *known = find(f, &f->open);

	if (known != NULL) {
		known->done = true;
		(void)look_at(known->name, known); /* as it stands now that it was read */
	}
	capture_reader_close(f->reader);
	f->reader = NULL;
	capture_interfaces_clear(&f->told, &c->cap);
	lya_free(f->open.name);
	f->open.name = NULL;
}

/* It has been opened as one that can be read. */
static int begin_file(struct lya_capture *c, const struct capture_followed *file,
		      struct lya_error *err)
{
	struct capture_follow *f = c->follow;
	int rc = LYA_OK;

	f->open = *file;
	f->open.name = lya_strdup(file->name);
	f->n_map = 0;
	f->moved = false;
	rc = capture_reader_tell_interfaces(f->reader, &f->told, err);
	f->reader->source = 0;
	f->reader->offset_ns = c->sources[0].time_offset_ns;
	if (rc == LYA_OK && f->open.name == NULL)
		rc = lya_error_nomem(err);
	if (rc == LYA_OK && c->shelf.hold != 0)
		rc = capture_reader_shelve(f->reader, &c->shelf, err);
	if (rc != LYA_OK)
		close_file(c);
	return rc;
}

/* LYA_ESTOP: there is too little of it yet.  *file may be done after that. */
static int open_file(struct lya_capture *c, struct capture_followed *file, struct lya_error *err)
{
	struct capture_follow *f = c->follow;
	struct capture_stream *stream;
	struct lya_error why = { .status = LYA_OK };
	int fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd == -1) {
		tell_lost(f, file, "cannot be read");
		file->done = true;
		return LYA_OK;
	}
	rc = capture_stream_follow(&stream, fd, &c->cap, &why);
	if (rc == LYA_OK)
		rc = capture_reader_open(&f->reader, stream, CAPTURE_BUFFER, &c->cap, &why);
	if (rc == LYA_OK)
		return begin_file(c, file, err);
	f->reader = NULL;
	if (rc == LYA_EINPUT || rc == LYA_EIO) {
		tell_lost(f, file, "is no capture");
		file->done = true;
		return LYA_OK;
	}
	if (err != NULL)
		*err = why;
	return rc;
}

/* Open the next one.  *waits: there is none, or too little of it. */
static int open_next(struct lya_capture *c, bool *waits, struct lya_error *err)
{
	struct capture_follow *f = c->follow;
	struct capture_followed *file = first_waiting(f);
	int rc;

	*waits = false;
	if (file == NULL) {
		*waits = true;
		return LYA_OK;
	}
	rc = open_file(c, file, err);
	if (rc != LYA_ESTOP)
		return rc;
	*waits = true;
	for (size_t i = 0; i < f->n; i++) { /* another one is newer: no more will come */
		if (!f->list[i].done && &f->list[i] != file) {
			file->done = true;
			*waits = false;
		}
	}
	if (file->done && file->size > 0)
		tell_lost(f, file, "is no whole capture");
	return LYA_OK;
}

/* The file is through; what was wrong with it is a loss. */
static void end_file(struct lya_capture *c)
{
	struct capture_follow *f = c->follow;

	if (f->reader->truncated)
		tell_lost(f, &f->open, "breaks off in the middle of a packet");
	else if (f->reader->why[0] != '\0')
		tell_lost(f, &f->open, "is damaged");
	close_file(c);
}

/* Another file was written since the open one: of that no more will come. */
static bool is_over(struct capture_follow *f)
{
	const struct capture_followed *open = find(f, &f->open);

	for (size_t i = 0; i < f->n; i++) {
		if (!f->list[i].done && &f->list[i] != open &&
		    (open == NULL || f->list[i].written_ns >= open->written_ns))
			return true;
	}
	return false;
}

/* At the end of what is there: the file grows, or is over. */
static void at_end(struct lya_capture *c)
{
	struct capture_follow *f = c->follow;
	struct stat st;

	if (stat(f->open.name, &st) == 0 && st.st_dev == f->open.dev && st.st_ino == f->open.ino &&
	    st.st_size < (off_t)capture_stream_raw(f->reader->stream)) {
		struct capture_followed *known = find(f, &f->open);

		close_file(c);
		if (known != NULL)
			known->done = false; /* from its beginning */
		return;
	}
	if (is_over(f))
		capture_stream_follow_end(f->reader->stream);
}

/* Frames ---------------------------------------------------------------------- */

static size_t leave_out_old(struct capture_follow *f, struct lya_frame *frames, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (frames[i].time_ns <= f->from_ns)
			continue;
		frames[kept] = frames[i];
		frames[kept++].number = ++f->number;
	}
	f->resumed = f->resumed || kept < n;
	return kept;
}

bool lya_capture_follow_resumed(const struct lya_capture *c)
{
	return c->follow->resumed;
}

static bool is_told_alike(const struct lya_interface *a, const struct lya_interface *b)
{
	return a->link == b->link && a->snaplen == b->snaplen && a->tsresol == b->tsresol &&
	       a->offset_s == b->offset_s && (a->name == NULL) == (b->name == NULL) &&
	       (a->name == NULL || strcmp(a->name, b->name) == 0);
}

/* The number that it has in the ring; where there is no room for more, one that none has. */
static int number_interface(struct lya_capture *c, const struct lya_interface *i, uint16_t *number,
			    struct lya_error *err)
{
	struct lya_interfaces *all = &c->sources[0].interfaces;
	size_t k = 0;
	int rc = LYA_OK;

	while (k < all->n && !is_told_alike(&all->list[k], i))
		k++;
	if (k == all->n)
		rc = capture_interfaces_add(all, k, &c->cap, i, i->name != NULL ? i->name : "",
					    i->name != NULL ? strlen(i->name) : 0, err);
	*number = k < all->n ? (uint16_t)k : UINT16_MAX;
	return rc;
}

/* Frames get the ring's numbers of their interfaces; of most rings all files have the same. */
static int know_interfaces(struct lya_capture *c, struct lya_frame *frames, size_t n,
			   struct lya_error *err)
{
	struct capture_follow *f = c->follow;
	int rc = LYA_OK;

	for (; rc == LYA_OK && f->n_map < f->told.n; f->n_map++) {
		rc = number_interface(c, &f->told.list[f->n_map], &f->map[f->n_map], err);
		f->moved = f->moved || f->map[f->n_map] != f->n_map;
	}
	for (size_t i = 0; rc == LYA_OK && f->moved && i < n; i++)
		frames[i].iface = frames[i].iface < f->n_map ? f->map[frames[i].iface] : UINT16_MAX;
	return rc;
}

static int take(struct lya_capture *c, struct lya_frame *frames, size_t *n, struct lya_error *err)
{
	struct capture_follow *f = c->follow;
	int rc = LYA_OK;

	*n = leave_out_old(f, frames, *n);
	rc = know_interfaces(c, frames, *n, err);
	if (rc == LYA_OK && *n > 0 && c->filter != NULL)
		rc = capture_lane_filter(c, 0, frames, n, err);
	if (rc != LYA_OK || *n == 0)
		return rc;
	capture_account(c, frames, *n, capture_reader_is_uniform(f->reader));
	f->last_ns = frames[*n - 1].time_ns;
	return LYA_OK;
}

static int look_in_time(struct capture_follow *f, struct lya_error *err)
{
	return steady_ns() - f->looked_ns >= LOOK_NS ? look(f, err) : LYA_OK;
}

int capture_follow_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err)
{
	struct capture_follow *f = c->follow;
	bool waits = false;
	int rc = LYA_OK;

	*n = 0;
	while (rc == LYA_OK && *n == 0 && !waits) {
		rc = look_in_time(f, err);
		if (rc == LYA_OK && f->reader == NULL) {
			rc = open_next(c, &waits, err);
			continue;
		}
		if (rc == LYA_OK)
			rc = capture_reader_next(f->reader, frames, max, n, err);
		if (rc == LYA_ESTOP) {
			rc = LYA_OK;
			at_end(c);
			waits = f->reader != NULL && !is_over(f);
		} else if (rc == LYA_OK && *n == 0) {
			end_file(c);
		} else if (rc == LYA_OK) {
			rc = take(c, frames, n, err);
		}
	}
	return rc;
}

/* Beginning -------------------------------------------------------------------- */

int capture_follow_begin(struct lya_capture *c, const struct lya_capture_follow_options *options,
			 struct lya_error *err)
{
	struct capture_follow *f = lya_calloc(1, sizeof(*f));
	uint32_t source;
	int rc;

	if (f == NULL)
		return lya_error_nomem(err);
	c->follow = f;
	f->from_ns = options->from_ns;
	f->last_ns = LYA_TIME_NONE;
	f->on_event = options->on_event;
	f->ctx = options->ctx;
	f->dir = lya_strdup(options->dir);
	if (f->dir == NULL)
		return lya_error_nomem(err);
	rc = capture_source_add(c, options->dir, options->dir, "ring", &source, err);
	if (rc != LYA_OK)
		return rc;
	c->sources[source].unread = false; /* it has no end */
	rc = capture_sources_offset(c, options->offsets, options->n_offsets, err);
	if (rc == LYA_OK && c->filter != NULL)
		rc = capture_filter_prepare(c->filter, LYA_LINK_ETHERNET, err);
	return rc == LYA_OK ? look(f, err) : rc;
}

void capture_follow_free(struct lya_capture *c)
{
	struct capture_follow *f = c->follow;

	if (f == NULL)
		return;
	if (f->reader != NULL)
		close_file(c);
	for (size_t i = 0; i < f->n; i++)
		lya_free(f->list[i].name);
	lya_free(f->list);
	lya_free(f->dir);
	lya_free(f);
}
