/*
 * screen.c - what a watch shows on a terminal.
 */
#include "live/screen.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"

enum {
	PICTURE_MAX = 16384,
	SAID_MAX = 8192, /* bytes of messages that are kept, the newest */
	SAID_LINES = 8
};

struct live_screen {
	int pipe;     /* what is said comes here; */
	int error_fd; /* standard error as it was */
	SCREEN *curses; /* NULL: not begun */
	char picture[PICTURE_MAX];
	char said[SAID_MAX + 1];
	size_t said_len;
};

static int fail(struct lya_error *err)
{
	return lya_error_set(err, LYA_EIO, NULL, NULL, "the screen cannot be used: %s",
			     strerror(errno));
}

/* Who says something never waits for the screen. */
static int redirect(struct live_screen *s)
{
	int ends[2];

	s->error_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (s->error_fd == -1 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	s->pipe = ends[0];
	if (dup2(ends[1], STDERR_FILENO) == -1)
		return -1;
	(void)close(ends[1]);
	return 0;
}

int live_screen_new(struct live_screen **result, struct lya_error *err)
{
	struct live_screen *s = lya_calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return lya_error_nomem(err);
	s->pipe = s->error_fd = -1;
	if (redirect(s) == -1) {
		rc = fail(err);
		live_screen_free(s);
		return rc;
	}
	*result = s;
	return LYA_OK;
}

/* Drawing ------------------------------------------------------------------ */

/* What would move the cursor or change colours is shown as a question mark. */
static void draw_line(int row, const char *text, size_t len)
{
	bool heading = len > 0 && text[0] == '#';

	if (heading) {
		text++;
		len--;
		(void)attron(A_BOLD);
	}
	(void)move(row, 0);
	for (size_t i = 0; i < len && i < (size_t)COLS; i++) {
		unsigned char c = (unsigned char)text[i];

		(void)addnstr(c < 0x20 || c == 0x7f ? "?" : &text[i], 1);
	}
	if (heading)
		(void)attroff(A_BOLD);
}

/* Lines from `row` on, but none at `end` or below; where the next would be. */
static int draw_lines(int row, int end, const char *text)
{
	while (*text != '\0' && row < end) {
		size_t len = strcspn(text, "\n");

		draw_line(row++, text, len);
		text += len + (text[len] == '\n');
	}
	return row;
}

/* Where the last n lines of what was said begin. */
static const char *last_lines(const struct live_screen *s, int n)
{
	const char *at = s->said + s->said_len;

	while (at > s->said && n > 0) {
		at--;
		while (at > s->said && at[-1] != '\n')
			at--;
		n--;
	}
	return at;
}

static void draw(struct live_screen *s)
{
	int below = LINES > 2 * SAID_LINES ? SAID_LINES : LINES / 3;

	if (s->curses == NULL)
		return;
	(void)erase();
	(void)draw_lines(0, LINES - below - 1, s->picture);
	(void)draw_lines(LINES - below, LINES, last_lines(s, below));
	(void)refresh();
}

int live_screen_begin(struct live_screen *s, struct lya_error *err)
{
	(void)setlocale(LC_CTYPE, "");
	s->curses = newterm(NULL, stdout, stdin);
	if (s->curses == NULL)
		return lya_error_set(err, LYA_EUSAGE, NULL, NULL,
				     "nothing is known of this terminal (TERM); -q or a pipe does "
				     "without the screen");
	(void)cbreak();
	(void)noecho();
	(void)nodelay(stdscr, TRUE);
	(void)curs_set(0);
	draw(s);
	return LYA_OK;
}

void live_screen_show(struct live_screen *s, const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof(s->picture))
		len = sizeof(s->picture) - 1;
	memcpy(s->picture, text, len);
	s->picture[len] = '\0';
	draw(s);
}

void live_screen_resize(struct live_screen *s)
{
	struct winsize size;

	if (s->curses != NULL && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		(void)resizeterm(size.ws_row, size.ws_col);
	draw(s);
}

/* Messages and keys -------------------------------------------------------- */

static void keep_said(struct live_screen *s, const char *text, size_t len)
{
	if (len > SAID_MAX / 2) {
		text += len - SAID_MAX / 2;
		len = SAID_MAX / 2;
	}
	if (s->said_len + len > SAID_MAX) {
		memmove(s->said, s->said + len, s->said_len - len);
		s->said_len -= len;
	}
	memcpy(s->said + s->said_len, text, len);
	s->said_len += len;
	s->said[s->said_len] = '\0';
}

static void read_said(struct live_screen *s)
{
	char text[1024];
	ssize_t n;

	while ((n = read(s->pipe, text, sizeof(text))) > 0)
		keep_said(s, text, (size_t)n);
}

void live_screen_wait(const struct live_screen *s, struct pollfd fds[static 2])
{
	fds[0] = (struct pollfd){ .fd = s->pipe, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
}

int live_screen_work(struct live_screen *s)
{
	int key = getch();

	read_said(s);
	draw(s);
	return key == ERR ? 0 : key;
}

void live_screen_free(struct live_screen *s)
{
	if (s == NULL)
		return;
	if (s->curses != NULL) {
		(void)endwin();
		delscreen(s->curses);
	}
	if (s->error_fd != -1) {
		if (s->pipe != -1)
			read_said(s);
		(void)dup2(s->error_fd, STDERR_FILENO);
		(void)close(s->error_fd);
		(void)!write(STDERR_FILENO, s->said, s->said_len);
	}
	if (s->pipe != -1)
		(void)close(s->pipe);
	lya_free(s);
}
