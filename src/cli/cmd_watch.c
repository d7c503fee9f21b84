/*
 * cmd_watch.c - lyncaudit watch: the service, from the command line's side.
 */
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/state.h"
#include "cli/watch_options.h"

static void say(void *ctx, enum lya_watch_level level, const char *text)
{
	static const char *const words[] = { [LYA_WATCH_NOTE] = "",
					     [LYA_WATCH_WARNING] = "warning: ",
					     [LYA_WATCH_ERROR] = "" };
	const struct watch_options *o = ctx;

	char line[LYA_ERROR_LEN + 32];

	/* in one piece: other processes say something too */
	(void)snprintf(line, sizeof(line), "lyncaudit: %s%s\n", words[level], text);
	if (!o->quiet || level == LYA_WATCH_ERROR)
		(void)fputs(line, stderr);
}

static int list_interfaces(void)
{
	struct lya_capture_device *list;
	struct lya_error err;
	size_t n;

	if (lya_capture_devices(&list, &n, &err) != LYA_OK) {
		cli_error("%s", err.text);
		return EXIT_ERROR;
	}
	for (size_t i = 0; i < n; i++)
		printf("%s%s%s%s%s\n", list[i].name, list[i].up ? "" : ", down",
		       list[i].up && !list[i].running ? ", no carrier" : "",
		       list[i].description != NULL ? ": " : "",
		       list[i].description != NULL ? list[i].description : "");
	lya_capture_devices_free(list, n);
	return EXIT_FINE;
}

static int watch(struct watch_options *o, int argc, char **argv)
{
	char host[HOST_NAME_MAX + 1] = "", rules[PATH_MAX + 64], state[PATH_MAX];
	struct lya_error err;
	int rc;

	if (o->live.rules == NULL) {
		if (!cli_default_rules(rules, sizeof(rules))) {
			cli_error("%s: the installed rule set is missing; --rules names another", rules);
			return EXIT_ERROR;
		}
		o->live.rules = rules;
	}
	if (o->live.state != NULL)
		o->live.state = cli_state_name(o->live.state, state);
	(void)gethostname(host, sizeof(host) - 1);
	o->live.host = host;
	if (o->live.sensor == NULL)
		o->live.sensor = host;
	o->live.version = LYNCAUDIT_VERSION;
	o->live.arguments = (const char *const *)argv;
	o->live.n_arguments = (size_t)argc;
	o->live.screen = !o->quiet && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
			 isatty(STDERR_FILENO);
	o->live.say = say;
	o->live.ctx = o;
	rc = lya_watch_run(&o->live, &err);
	if (rc != LYA_OK && err.text[0] != '\0')
		cli_error("%s", err.text);
	return rc == LYA_OK ? EXIT_FINE : EXIT_ERROR;
}

int cmd_watch(int argc, char **argv)
{
	struct watch_options o;
	int status = watch_options_read(&o, argc, argv);

	if (status == -1)
		status = o.list ? list_interfaces() : watch(&o, argc, argv);
	watch_options_fini(&o);
	return status;
}
