/*
 * load.c - a rule set from a folder, a file or memory.
 */
#include "rule/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lyncaudit/alloc.h"

static void free_words(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lya_free(words[i]);
	lya_free(words);
}

static void end_fini(struct lya_row_end *end)
{
	free_words(end->words, end->n_words);
	free_words(end->strict_words, end->n_strict_words);
	free_words(end->named_words, end->n_named_words);
}

void rule_fini(struct lya_rule *rule)
{
	end_fini(&rule->from);
	end_fini(&rule->to);
	lya_free(rule->ports);
	lya_free(rule->id);
	lya_free(rule->title);
	lya_free(rule->reason);
	lya_free(rule->note);
	lya_free(rule->doc_key);
	lya_free(rule->doc_statement);
	lya_free(rule->doc_title);
}

void lya_rules_free(struct lya_rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->n; i++)
		rule_fini(&rules->list[i]);
	lya_free(rules->list);
	for (size_t i = 0; i < rules->n_files; i++) {
		lya_free(rules->files[i].name);
		lya_free(rules->files[i].text);
	}
	lya_free(rules->files);
	lya_free(rules->by_id);
	lya_free(rules->name);
	lya_free(rules);
}

const struct lya_rule *lya_rules_find(const struct lya_rules *rules, const char *id)
{
	size_t low = 0;
	size_t high = rules->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct lya_rule *rule = &rules->list[rules->by_id[mid]];
		int order = strcmp(id, rule->id);

		if (order == 0)
			return rule;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* The last part of a path, slashes at its end and ".json" left out. */
static char *name_of(const char *path)
{
	size_t end = strlen(path);
	size_t begin;

	while (end > 1 && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	if (end - begin > 5 && memcmp(path + end - 5, ".json", 5) == 0)
		end -= 5;
	return lya_strndup(path + begin, end - begin);
}

static int load_begin(struct rule_load *load, const char *path, struct lya_diags *diags,
		      struct lya_error *err)
{
	memset(load, 0, sizeof(*load));
	load->diags = diags;
	load->rules = lya_calloc(1, sizeof(*load->rules));
	load->digest = lya_digest_new();
	if (load->rules == NULL || load->digest == NULL)
		return lya_error_nomem(err);
	load->rules->name = name_of(path);
	return load->rules->name != NULL ? LYA_OK : lya_error_nomem(err);
}

/* Release what only the loading needed, and the rules too unless all went well. */
static int load_end(struct rule_load *load, int rc, struct lya_rules **result)
{
	char unused[LYA_SHA256_HEX];

	if (load->digest != NULL)
		lya_digest_finish(load->digest, rc == LYA_OK ? load->rules->sha256 : unused);
	free_words(load->files, load->n_files);
	lya_free(load->origins);
	*result = NULL;
	if (rc == LYA_OK)
		*result = load->rules;
	else
		lya_rules_free(load->rules);
	return rc;
}

static int add_file(struct rule_load *load, const char *name, struct lya_error *err)
{
	char *copy = lya_strdup(name);

	if (copy == NULL || lya_grow((void **)&load->files, &load->cap_files, load->n_files + 1,
				     sizeof(*load->files)) < 0) {
		lya_free(copy);
		return lya_error_nomem(err);
	}
	load->files[load->n_files++] = copy;
	return LYA_OK;
}

/* The file as it is, under the last part of its name. */
static int keep_bytes(struct lya_rules *rules, const char *name, const char *bytes, size_t len,
		      struct lya_error *err)
{
	const char *slash = strrchr(name, '/');
	struct lya_rules_file file = { .len = len };
	void *list = rules->files;

	if (lya_grow(&list, &rules->cap_files, rules->n_files + 1, sizeof(file)) != LYA_OK)
		return lya_error_nomem(err);
	rules->files = list;
	file.name = lya_strdup(slash != NULL ? slash + 1 : name);
	file.text = lya_malloc(len + 1);
	rules->files[rules->n_files++] = file;
	if (file.name == NULL || file.text == NULL)
		return lya_error_nomem(err);
	memcpy(file.text, bytes, len);
	return LYA_OK;
}

/* The rules of a document; doc may be NULL with rc < 0, and is released. */
static int take_doc(struct rule_load *load, struct lya_json_doc *doc, int rc, const char *name,
		    struct lya_error *err)
{
	const char *bytes;
	size_t len;

	if (rc == LYA_EINPUT)
		return LYA_OK; /* noted in diags: the other files are read all the same */
	if (rc < 0)
		return rc;
	rc = add_file(load, name, err);
	if (rc == LYA_OK) {
		bytes = lya_json_bytes(doc, &len);
		lya_digest_add(load->digest, bytes, len);
		rule_parse(load, doc);
		rc = keep_bytes(load->rules, name, bytes, len, err);
	}
	lya_json_free(doc);
	return rc;
}

static int load_file(struct rule_load *load, const char *path, struct lya_error *err)
{
	struct lya_json_doc *doc;
	int rc = lya_json_load(&doc, path, load->diags, err);

	return take_doc(load, doc, rc, path, err);
}

static int is_rule_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

/* By bytes: alphasort would ask the locale, and the order must not depend on it. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct paths {
	char **list;
	size_t n, cap;
};

static int add_path(struct paths *p, const char *folder, const char *name, struct lya_error *err)
{
	size_t len = strlen(folder) + (name != NULL ? strlen(name) : 0) + 2;
	const char *between = folder[0] != '\0' && folder[strlen(folder) - 1] == '/' ? "" : "/";
	char *path = lya_malloc(len);

	if (path == NULL ||
	    lya_grow((void **)&p->list, &p->cap, p->n + 1, sizeof(*p->list)) != LYA_OK) {
		lya_free(path);
		return lya_error_nomem(err);
	}
	(void)snprintf(path, len, "%s%s%s", folder, name != NULL ? between : "",
		       name != NULL ? name : "");
	p->list[p->n++] = path;
	return LYA_OK;
}

static int list_folder(struct paths *p, const char *path, struct lya_error *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_rule_file, by_name);
	int rc = LYA_OK;

	if (n == -1)
		return lya_error_set(err, LYA_EIO, path, NULL, "cannot be read: %s",
				     strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == LYA_OK)
			rc = add_path(p, path, entries[i]->d_name, err);
		free(entries[i]); /* scandir's own allocations */
	}
	free(entries);
	return rc;
}

int lya_rules_files(const char *path, char ***paths, size_t *n, struct lya_error *err)
{
	struct paths p = { .n = 0 };
	struct stat st;
	int rc;

	*paths = NULL;
	*n = 0;
	if (stat(path, &st) == -1)
		return lya_error_set(err, LYA_EIO, path, NULL, "cannot be opened: %s",
				     strerror(errno));
	rc = S_ISDIR(st.st_mode) ? list_folder(&p, path, err) : add_path(&p, path, NULL, err);
	if (rc < 0) {
		free_words(p.list, p.n);
		return rc;
	}
	*paths = p.list;
	*n = p.n;
	return LYA_OK;
}

static void check_count(struct rule_load *load, const char *path, size_t n)
{
	if (n == 0)
		lya_diags_add(load->diags, LYA_DIAG_ERROR, path, NULL,
			      "wanted rule files (*.json) in this folder, found none");
}

static int load_paths(struct rule_load *load, const char *path, struct lya_error *err)
{
	char **paths;
	size_t n;
	int rc = lya_rules_files(path, &paths, &n, err);

	if (rc < 0)
		return rc;
	check_count(load, path, n);
	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = load_file(load, paths[i], err);
	free_words(paths, n);
	return rc;
}

/* All files are read: judge the whole. */
static int finish(struct rule_load *load, size_t errors_before, struct lya_error *err)
{
	int rc;

	if (load->rules->n == 0 && load->diags->errors == errors_before)
		lya_diags_add(load->diags, LYA_DIAG_ERROR, load->rules->name, NULL,
			      "the rule set holds no rule");
	rc = rule_check_set(load, err);
	if (rc < 0)
		return rc;
	if (load->diags->nomem || load->diags->errors > errors_before)
		return lya_diags_error(load->diags, err);
	return LYA_OK;
}

int lya_rules_load(struct lya_rules **rules, const char *path, struct lya_diags *diags,
		   struct lya_error *err)
{
	struct rule_load load;
	size_t before = diags->errors;
	int rc = load_begin(&load, path, diags, err);

	if (rc == LYA_OK)
		rc = load_paths(&load, path, err);
	if (rc == LYA_OK)
		rc = finish(&load, before, err);
	return load_end(&load, rc, rules);
}

static int load_text(struct rule_load *load, const struct lya_rules_file *f, struct lya_error *err)
{
	struct lya_json_doc *doc = NULL;
	int rc = lya_json_parse(&doc, f->name, f->text, f->len, load->diags, err);

	return take_doc(load, doc, rc, f->name, err);
}

int lya_rules_load_files(struct lya_rules **rules, const char *name,
			 const struct lya_rules_file *files, size_t n, struct lya_diags *diags,
			 struct lya_error *err)
{
	struct rule_load load;
	size_t before = diags->errors;
	int rc = load_begin(&load, name, diags, err);

	check_count(&load, name, n);
	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = load_text(&load, &files[i], err);
	if (rc == LYA_OK)
		rc = finish(&load, before, err);
	return load_end(&load, rc, rules);
}

int lya_rules_load_text(struct lya_rules **rules, const char *name, const char *text, size_t len,
			struct lya_diags *diags, struct lya_error *err)
{
	const struct lya_rules_file one = { (char *)(uintptr_t)name, (char *)(uintptr_t)text, len };

	return lya_rules_load_files(rules, name, &one, 1, diags, err);
}
