/*
 * proof.c - files of packets that prove findings.
 */
#include "live/proof.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/hand.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/folder.h"
#include "lyncaudit/output.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* Names -------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Where the suffix begins, or the end. */
static const char *suffix_of(const char *path)
{
	const char *name = last_part(path), *dot = strrchr(name, '.');

	return dot != NULL && dot != name ? dot : path + strlen(path);
}

bool live_proof_is_name(const char *name)
{
	enum { LONGEST = 63 };
	size_t len = strspn(name, "0123456789-.TZ");

	return len > 0 && len <= LONGEST && name[len] == '\0' && name[0] >= '0' && name[0] <= '9';
}

char *live_proof_path(const char *evidence, const char *name)
{
	const char *suffix = suffix_of(evidence);
	struct lya_text path = { 0 };

	lya_text_add_len(&path, evidence, (size_t)(suffix - evidence));
	lya_text_addf(&path, "-%s%s", name, suffix);
	if (!path.failed)
		return path.data;
	lya_text_fini(&path);
	return NULL;
}

/* What is told of a file, and heard by who gives it its name ---------------------------------- */

enum { TOLD_TEXT = 128 };

static void tell(char text[static TOLD_TEXT], const char *name,
		 const struct lya_finding_packets *total)
{
	(void)snprintf(text, TOLD_TEXT, "%s %" PRIu64 " %" PRIu64, name, total->packets,
		       total->left_out);
}

bool live_proof_hear(struct live_proof_told *told, const struct live_watch *w, const char *text)
{
	size_t len = strcspn(text, " ");
	char name[64];

	*told = (struct live_proof_told){ .path = NULL };
	if (w->evidence_inside || len >= sizeof(name))
		return false;
	memcpy(name, text, len);
	name[len] = '\0';
	if (!live_proof_is_name(name) ||
	    sscanf(text + len, "%18" SCNu64 "%18" SCNu64, &told->packets, &told->missing) != 2)
		return false;
	told->path = live_proof_path(w->options->evidence, name);
	return told->path != NULL;
}

void live_proof_say(const struct live_watch *w, const struct live_proof_told *told)
{
	live_say(w, LYA_WATCH_NOTE, "%s: %" PRIu64 " packets, %" PRIu64 " missing", told->path,
		 told->packets, told->missing);
}

/* The folder in which they are; freed with lya_free. */
static char *folder_of(const char *path)
{
	const char *name = last_part(path);

	if (name == path)
		return lya_strdup(".");
	return name - path == 1 ? lya_strdup("/") : lya_strndup(path, (size_t)(name - path) - 1);
}

/* Preparing ---------------------------------------------------------------- */

static int try(const struct live_watch *w, const char *path, struct lya_error *err)
{
	struct lya_output *out;
	int rc = lya_output_open_guarded(&out, path, w->state, false, err);

	if (rc == LYA_OK)
		lya_output_abort(out);
	return rc;
}

/* One that lies elsewhere is tried now; below the state directory who writes has to be another. */
static int try_file(const struct live_watch *w, struct lya_error *err)
{
	char *path = live_proof_path(w->options->evidence, "0");
	int rc;

	if (path == NULL)
		return lya_error_nomem(err);
	rc = w->evidence_inside ? LYA_OK : try(w, path, err);
	lya_free(path);
	return rc;
}

/* Do they lie below the state directory? */
static int find_place(struct live_watch *w, struct lya_error *err)
{
	const char *path = w->options->evidence;
	struct lya_folder f;

	if (lya_folder_open(&f, path, w->state) == -1)
		return lya_error_set(err, LYA_EOUTPUT, path, NULL, "cannot be written: %s",
				     lya_folder_error(errno));
	w->evidence_inside = f.guarded;
	lya_folder_close(&f);
	return LYA_OK;
}

int live_proof_prepare(struct live_watch *w, struct lya_error *err)
{
	const char *path = w->options->evidence;
	struct stat st;
	int rc;

	if (path == NULL)
		return LYA_OK;
	if (w->options->state == NULL)
		return try(w, path, err);
	if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
		return lya_error_set(err, LYA_EUSAGE, path, NULL,
				     "wanted the name of a file, into which those of reports go, such "
				     "as evidence.pcapng");
	rc = find_place(w, err);
	return rc == LYA_OK ? try_file(w, err) : rc;
}

/* Keeping ------------------------------------------------------------------ */

static bool begin_of(char *name, int64_t *ns)
{
	unsigned month, day;
	int64_t days;
	int year;

	name[strnlen(name, sizeof("2026-11-21") - 1)] = '\0';
	return lya_date_parse(name, &year, &month, &day) && lya_date_days(year, month, day, &days) &&
	       !__builtin_mul_overflow(days, 86400 * LYA_SECOND_NS, ns);
}

/* "2026-11-21..." of a file's name that is one of ours: when that day began, or LYA_TIME_NONE. */
static int64_t day_of(const char *evidence, const char *file)
{
	const char *stem = last_part(evidence), *suffix = suffix_of(evidence);
	size_t len = (size_t)(suffix - stem), file_len = strlen(file), tail = strlen(suffix);
	char name[64];
	int64_t ns;

	if (file_len < len + 1 + tail || strncmp(file, stem, len) != 0 || file[len] != '-' ||
	    strcmp(file + file_len - tail, suffix) != 0 || file_len - len - 1 - tail >= sizeof(name))
		return LYA_TIME_NONE;
	memcpy(name, file + len + 1, file_len - len - 1 - tail);
	name[file_len - len - 1 - tail] = '\0';
	return live_proof_is_name(name) && begin_of(name, &ns) ? ns : LYA_TIME_NONE;
}

static void drop_old(const struct live_watch *w, int64_t before_ns)
{
	char *folder = folder_of(w->options->evidence);
	DIR *dir = folder != NULL ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int64_t day_ns = day_of(w->options->evidence, entry->d_name);

		if (day_ns != LYA_TIME_NONE && day_ns < before_ns &&
		    unlinkat(dirfd(dir), entry->d_name, 0) == -1)
			live_say(w, LYA_WATCH_WARNING, "%s/%s cannot be removed: %s", folder,
				 entry->d_name, strerror(errno));
	}
	if (dir != NULL)
		(void)closedir(dir);
	lya_free(folder);
}

/* Writing ------------------------------------------------------------------ */

static int write_file(const char *path, const struct lya_keeper_proof *proof,
		      struct lya_finding_packets *total, struct lya_error *err)
{
	struct lya_output *out;
	int rc = lya_output_open(&out, path, false, err);

	if (rc != LYA_OK)
		return rc;
	rc = lya_keeper_proof_write(proof, out, total, err);
	if (rc == LYA_OK)
		return lya_output_commit(out, err);
	lya_output_abort(out);
	return rc;
}

static int write_here(const struct live_watch *w, const struct lya_keeper_proof *proof,
		      struct lya_error *err)
{
	struct live_proof_told told = { .path = live_proof_path(w->options->evidence, proof->name) };
	struct lya_finding_packets total = { 0 };
	int rc = told.path != NULL ? write_file(told.path, proof, &total, err) : lya_error_nomem(err);

	told.packets = total.packets;
	told.missing = total.left_out;
	if (rc == LYA_OK)
		live_proof_say(w, &told);
	if (rc == LYA_OK && proof->drop_before_ns != LYA_TIME_NONE)
		drop_old(w, proof->drop_before_ns);
	lya_free(told.path);
	return rc;
}

static int hand_over(const struct live_watch *w, const struct lya_keeper_proof *proof,
		     struct lya_error *err)
{
	struct live_hand hand = { .number = LIVE_OUTPUT_EVIDENCE };
	struct lya_finding_packets total = { 0 };
	char told[TOLD_TEXT];
	int rc = live_hand_begin(&hand.out, &hand.fd, err);

	if (rc != LYA_OK)
		return rc;
	rc = lya_keeper_proof_write(proof, hand.out, &total, err);
	tell(told, proof->name, &total);
	hand.told = told;
	if (rc == LYA_OK)
		return live_hand_over(w, &hand, err);
	live_hand_drop(&hand);
	return rc;
}

int live_proof_write(const struct live_watch *w, const struct lya_keeper_proof *proof,
		     struct lya_error *err)
{
	return w->evidence_inside ? write_here(w, proof, err) : hand_over(w, proof, err);
}
