/*
 * schema.c - tables, step by step, and every statement that is asked.
 *
 * Times are nanoseconds since 1970, days are days since 1970.  `seal` is the SHA-256 of the
 * bytes beside it.  Roles, hosts and verdicts of the minutes are words, kept once: rows of
 * minutes are many.  flow_minute is the view to read them by.
 */
#include "store/store.h"

#include <stdio.h>

/*
 * Step i leads from version i to version i + 1.  What was released is not changed any more:
 * a new step is added.
 */
static const char *const steps[] = {
	"CREATE TABLE policy ("
	" id INTEGER PRIMARY KEY,"
	" site_name TEXT NOT NULL, site_sha256 TEXT NOT NULL, site BLOB NOT NULL,"
	" rules_name TEXT NOT NULL, rules_sha256 TEXT NOT NULL, rules BLOB NOT NULL,"
	" strict INTEGER NOT NULL,"
	" UNIQUE (site_sha256, rules_sha256, rules_name, strict));"

	"CREATE TABLE period ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, day INTEGER NOT NULL,"
	" begin_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0,"
	" fail_on INTEGER NOT NULL, sensor TEXT NOT NULL, timezone TEXT NOT NULL,"
	" partial INTEGER NOT NULL DEFAULT 0,"     /* shorter than its day */
	" bound INTEGER NOT NULL,"                 /* of a ledger, in bytes */
	" dropped INTEGER NOT NULL DEFAULT 0,"     /* its evidence was too much to keep */
	" policy INTEGER REFERENCES policy (id));" /* in force at its end */
	"CREATE INDEX period_day ON period (day);"

	"CREATE TABLE stretch ("
	" id INTEGER PRIMARY KEY,"
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" policy INTEGER NOT NULL REFERENCES policy (id),"
	" begin_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL, final INTEGER NOT NULL,"
	" tally BLOB NOT NULL, seal TEXT NOT NULL);"
	"CREATE INDEX stretch_period ON stretch (period);"
	"CREATE INDEX stretch_policy ON stretch (policy);"

	"CREATE TABLE part ("
	" id INTEGER PRIMARY KEY,"
	" stretch INTEGER NOT NULL REFERENCES stretch (id) ON DELETE CASCADE,"
	" open INTEGER NOT NULL, evidence BLOB NOT NULL, seal TEXT NOT NULL);"
	"CREATE INDEX part_stretch ON part (stretch, open);"

	"CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"

	"CREATE TABLE minute ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" minute INTEGER NOT NULL, policy INTEGER NOT NULL,"
	" src_role INTEGER NOT NULL, dst_role INTEGER NOT NULL,"
	" src_host INTEGER NOT NULL, dst_host INTEGER NOT NULL," /* 0: undeclared */
	" transport INTEGER NOT NULL, verdict INTEGER NOT NULL,"
	" first_port INTEGER NOT NULL, last_port INTEGER NOT NULL," /* -1: folded */
	" flows INTEGER NOT NULL, opened INTEGER NOT NULL,"
	" packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" PRIMARY KEY (period, minute, policy, src_role, dst_role, src_host, dst_host, transport,"
	" verdict, first_port, last_port)) WITHOUT ROWID;"
	"CREATE VIEW flow_minute AS SELECT"
	" datetime(m.minute * 60, 'unixepoch') AS minute, p.name AS night,"
	" sr.text AS src_role, sh.text AS src_host, dr.text AS dst_role, dh.text AS dst_host,"
	" CASE m.transport WHEN 6 THEN 'tcp' WHEN 17 THEN 'udp' END AS transport,"
	" CASE WHEN m.first_port < 0 THEN 'other' WHEN m.first_port = m.last_port"
	" THEN CAST(m.first_port AS TEXT) ELSE m.first_port || '-' || m.last_port END AS port,"
	" v.text AS verdict, m.flows, m.opened, m.packets, m.bytes"
	" FROM minute m JOIN period p ON p.id = m.period JOIN word sr ON sr.id = m.src_role"
	" JOIN word dr ON dr.id = m.dst_role JOIN word v ON v.id = m.verdict"
	" LEFT JOIN word sh ON sh.id = m.src_host LEFT JOIN word dh ON dh.id = m.dst_host;"

	"CREATE TABLE host ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" host INTEGER NOT NULL, flows INTEGER NOT NULL, undocumented INTEGER NOT NULL,"
	" packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" PRIMARY KEY (period, host)) WITHOUT ROWID;"

	"CREATE TABLE finding ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" id TEXT NOT NULL, place INTEGER NOT NULL, type TEXT NOT NULL, severity TEXT NOT NULL,"
	" initiator TEXT, responder TEXT, transport TEXT, ports TEXT,"
	" flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" first_ns INTEGER, last_ns INTEGER, what TEXT NOT NULL, json TEXT NOT NULL,"
	" PRIMARY KEY (period, id)) WITHOUT ROWID;"

	"CREATE TABLE coverage ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" rule TEXT NOT NULL, place INTEGER NOT NULL, status TEXT NOT NULL,"
	" flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" first_ns INTEGER, last_ns INTEGER, PRIMARY KEY (period, rule)) WITHOUT ROWID;"

	"CREATE TABLE waiver ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" exception TEXT NOT NULL, flows INTEGER NOT NULL, expires TEXT, days_left INTEGER,"
	" reason TEXT, owner TEXT, PRIMARY KEY (period, exception)) WITHOUT ROWID;"

	"CREATE TABLE validity ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" place INTEGER NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, share REAL NOT NULL,"
	" what TEXT NOT NULL, PRIMARY KEY (period, place)) WITHOUT ROWID;"

	"CREATE TABLE event ("
	" id INTEGER PRIMARY KEY, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,"
	" kind TEXT NOT NULL, source TEXT, count INTEGER NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX event_time ON event (to_ns);"

	"CREATE TABLE report ("
	" id INTEGER PRIMARY KEY,"
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" file TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, verdict TEXT NOT NULL,"
	" made_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, partial INTEGER NOT NULL,"
	" on_demand INTEGER NOT NULL, last_event INTEGER NOT NULL,"
	" previous_file TEXT, previous_sha256 TEXT);"
	"CREATE INDEX report_period ON report (period);"

	"CREATE TABLE change ("
	" period INTEGER NOT NULL REFERENCES period (id) ON DELETE CASCADE,"
	" kind INTEGER NOT NULL, place INTEGER NOT NULL, finding TEXT NOT NULL, json TEXT,"
	" PRIMARY KEY (period, kind, place)) WITHOUT ROWID;",
};

_Static_assert(sizeof(steps) / sizeof(steps[0]) == STORE_VERSION, "a step for each version");

#define PERIOD_COLUMNS                                                                             \
	"id, name, day, begin_ns, end_ns, closed, fail_on, sensor, timezone, partial,"             \
	" policy, bound, dropped"
#define STORE_ONGOING "9223372036854775807" /* its end is not known yet */
#define REPORT_COLUMNS                                                                             \
	"period, file, sha256, verdict, made_ns, to_ns, partial, on_demand, previous_file,"        \
	" previous_sha256, last_event"

const char *const store_sql[STORE_STATEMENTS] = {
	[STORE_BEGIN] = "BEGIN IMMEDIATE",
	[STORE_COMMIT] = "COMMIT",
	[STORE_ROLLBACK] = "ROLLBACK",

	[STORE_POLICY_FIND] = "SELECT id FROM policy WHERE site_sha256 = ? AND rules_sha256 = ?"
			      " AND rules_name = ? AND strict = ?",
	[STORE_POLICY_PUT] = "INSERT INTO policy (site_name, site_sha256, site, rules_name,"
			     " rules_sha256, rules, strict) VALUES (?, ?, ?, ?, ?, ?, ?)",
	[STORE_POLICY_GET] = "SELECT site_name, site, rules_name, rules, strict, site_sha256,"
			     " rules_sha256 FROM policy"
			     " WHERE id = ?",

	[STORE_PERIOD_PUT] = "INSERT INTO period (name, day, begin_ns, end_ns, fail_on, sensor,"
			     " timezone, partial, bound) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STORE_PERIOD_NAMES] = "SELECT count(*) FROM period WHERE day = ?",
	[STORE_PERIOD_CLOSE] = "UPDATE period SET closed = 1, end_ns = ?, partial = max(partial, ?),"
			       " policy = ?"
			       " WHERE id = ?",
	[STORE_PERIODS] = "SELECT " PERIOD_COLUMNS " FROM period WHERE closed <= ? ORDER BY id",
	[STORE_PERIOD_FIND] = "SELECT " PERIOD_COLUMNS " FROM period WHERE name = ?",
	[STORE_PERIOD_GET] = "SELECT " PERIOD_COLUMNS " FROM period WHERE id = ?",
	[STORE_UNREPORTED] = "SELECT " PERIOD_COLUMNS " FROM period p WHERE closed = 1 AND NOT EXISTS"
			     " (SELECT 1 FROM report r WHERE r.period = p.id AND r.on_demand = 0)"
			     " AND dropped = 0 ORDER BY id",
	[STORE_LAST_DAY] = "SELECT day FROM period ORDER BY day DESC LIMIT 1",

	[STORE_STRETCH_PUT] = "INSERT INTO stretch (period, policy, begin_ns, until_ns, final,"
			      " tally, seal) VALUES (?, ?, ?, ?, ?, ?, ?)",
	[STORE_STRETCH_SET] = "UPDATE stretch SET until_ns = ?, final = ?, tally = ?, seal = ?"
			      " WHERE id = ?",
	[STORE_STRETCHES] = "SELECT id, policy, begin_ns, until_ns, final FROM stretch"
			    " WHERE period = ? ORDER BY id",
	[STORE_TALLY_GET] = "SELECT tally, seal FROM stretch WHERE id = ?",

	[STORE_PART_PUT] = "INSERT INTO part (stretch, open, evidence, seal) VALUES (?, ?, ?, ?)",
	[STORE_PARTS] = "SELECT evidence, open, seal FROM part WHERE stretch = ? ORDER BY id",
	[STORE_PARTS_COUNT] = "SELECT count(*) FROM part WHERE stretch = ? AND open = 0",
	[STORE_PARTS_DROP] = "DELETE FROM part WHERE stretch = ? AND open = ?",

	[STORE_WORD_PUT] = "INSERT INTO word (text) VALUES (?)",
	[STORE_WORD_FIND] = "SELECT id FROM word WHERE text = ?",

	[STORE_MINUTE_PUT] =
	    "INSERT INTO minute (period, minute, policy, src_role, dst_role, src_host, dst_host,"
	    " transport, verdict, first_port, last_port, flows, opened, packets, bytes)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT DO UPDATE SET flows = flows + excluded.flows,"
	    " opened = opened + excluded.opened, packets = packets + excluded.packets,"
	    " bytes = bytes + excluded.bytes",
	[STORE_HOST_PUT] = "INSERT INTO host (period, host, flows, undocumented, packets, bytes)"
			   " VALUES (?, ?, ?, ?, ?, ?)"
			   " ON CONFLICT DO UPDATE SET flows = flows + excluded.flows,"
			   " undocumented = undocumented + excluded.undocumented,"
			   " packets = packets + excluded.packets, bytes = bytes + excluded.bytes",

	[STORE_EVENT_PUT] = "INSERT INTO event (from_ns, to_ns, kind, source, count, text)"
			    " VALUES (?, ?, ?, ?, ?, ?)",
	/*
	 * What goes on (STORE_ONGOING) has its end in a later event of that kind, source and
	 * beginning, or ends where the sensor was started again.
	 */
	[STORE_EVENTS] = "WITH told AS (SELECT id, from_ns, CASE WHEN to_ns <> " STORE_ONGOING
			 " THEN to_ns ELSE coalesce((SELECT min(s.from_ns) FROM event s WHERE"
			 " s.kind = 'start' AND s.id > e.id AND s.id <= ?3), to_ns) END AS to_ns,"
			 " kind, source, count, text FROM event e WHERE id <= ?3 AND NOT"
			 " (to_ns = " STORE_ONGOING " AND EXISTS (SELECT 1 FROM event f WHERE"
			 " f.id > e.id AND f.id <= ?3 AND f.from_ns = e.from_ns AND f.kind = e.kind"
			 " AND f.source IS e.source)))"
			 " SELECT from_ns, to_ns, kind, source, count, text FROM told"
			 " WHERE to_ns >= ?1 AND from_ns < ?2 ORDER BY from_ns, id",
	[STORE_EVENT_LAST] = "SELECT max(id) FROM event",

	[STORE_FINDINGS_DROP] = "DELETE FROM finding WHERE period = ?",
	[STORE_FINDING_PUT] = "INSERT INTO finding (period, id, place, type, severity, initiator,"
			      " responder, transport, ports, flows, packets, bytes, first_ns,"
			      " last_ns, what, json)"
			      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STORE_COVERAGE_DROP] = "DELETE FROM coverage WHERE period = ?",
	[STORE_COVERAGE_PUT] = "INSERT INTO coverage (period, rule, place, status, flows, packets,"
			       " bytes, first_ns, last_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STORE_WAIVERS_DROP] = "DELETE FROM waiver WHERE period = ?",
	[STORE_WAIVER_PUT] = "INSERT INTO waiver (period, exception, flows, expires, days_left,"
			     " reason, owner) VALUES (?, ?, ?, ?, ?, ?, ?)",
	[STORE_LIMITS_DROP] = "DELETE FROM validity WHERE period = ?",
	[STORE_LIMIT_PUT] = "INSERT INTO validity (period, place, kind, source, share, what)"
			    " VALUES (?, ?, ?, ?, ?, ?)",

	[STORE_REPORT_PUT] = "INSERT INTO report (" REPORT_COLUMNS ")"
			     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STORE_REPORT_OF] = "SELECT " REPORT_COLUMNS " FROM report"
			    " WHERE period = ? AND on_demand = 0",
	[STORE_REPORT_LAST] = "SELECT " REPORT_COLUMNS " FROM report"
			      " WHERE period < ? AND on_demand = 0 ORDER BY period DESC LIMIT 1",

	[STORE_CHANGES_DROP] = "DELETE FROM change WHERE period = ?",
	/* Those of this period: new, or persisting, in their order. */
	[STORE_CHANGES_PUT] = "INSERT INTO change (period, kind, place, finding)"
			      " SELECT f.period, CASE WHEN o.id IS NULL THEN 0 ELSE 1 END,"
			      " f.place, f.id FROM finding f"
			      " LEFT JOIN finding o ON o.period = ?2 AND o.id = f.id"
			      " WHERE f.period = ?1",
	/* Those of the one before that are in this one no more, as they last stood. */
	[STORE_CHANGES_PUT_OLD] = "INSERT INTO change (period, kind, place, finding, json)"
				  " SELECT ?1, 2, o.place, o.id, o.json FROM finding o"
				  " LEFT JOIN finding f ON f.period = ?1 AND f.id = o.id"
				  " WHERE o.period = ?2 AND f.id IS NULL",
	[STORE_CHANGES] = "SELECT kind, finding, json FROM change WHERE period = ?"
			  " ORDER BY kind, place",

	[STORE_BYTES] = "SELECT (page_count - freelist_count) * page_size FROM"
			" pragma_page_count, pragma_freelist_count, pragma_page_size",
	[STORE_OLD_PERIOD] = "SELECT min(id), 0 FROM period WHERE end_ns < ? AND id <> ?",
	[STORE_OLD_MINUTE] = "SELECT period, minute FROM minute WHERE period <> ?"
			     " ORDER BY period, minute LIMIT 1",
	[STORE_PERIOD_MINUTE] = "SELECT minute, 0 FROM minute WHERE period = ?"
				" ORDER BY minute LIMIT 1",
	[STORE_OLD_EVIDENCE] = "SELECT min(period), 0 FROM stretch WHERE period <> ?",
	/* An hour of them. */
	[STORE_MINUTES_DROP] = "DELETE FROM minute WHERE period = ?1 AND minute >= ?2"
			       " AND minute < ?2 + 60",
	[STORE_EVIDENCE_DROP] = "DELETE FROM stretch WHERE period = ?",
	[STORE_EVIDENCE_DROPPED] = "UPDATE period SET dropped = 1 WHERE id = ?",
	[STORE_PERIOD_DROP] = "DELETE FROM period WHERE id = ?",
	[STORE_POLICIES_DROP] = "DELETE FROM policy WHERE id NOT IN (SELECT policy FROM stretch)"
				" AND id NOT IN (SELECT policy FROM period WHERE policy NOT NULL)",
	[STORE_EVENTS_DROP] = "DELETE FROM event WHERE from_ns < ?1 AND"
			      " (to_ns < ?1 OR to_ns = " STORE_ONGOING ")",

	/* Nights: periods that have their report. */
	[STORE_HISTORY_FROM] = "SELECT min(period) FROM (SELECT period FROM report"
			       " WHERE on_demand = 0 ORDER BY period DESC LIMIT ?)",
	[STORE_HISTORY_NIGHTS] =
	    "SELECT p.name, r.file, r.verdict, r.partial,"
	    " (SELECT count(*) FROM finding f WHERE f.period = p.id AND f.severity <> 'info'),"
	    " (SELECT count(*) FROM finding f WHERE f.period = p.id AND f.severity = 'info'),"
	    " (SELECT count(*) FROM change c WHERE c.period = p.id AND c.kind = 0),"
	    " (SELECT count(*) FROM change c WHERE c.period = p.id AND c.kind = 2), p.id"
	    " FROM period p JOIN report r ON r.period = p.id AND r.on_demand = 0"
	    " WHERE p.id >= ? ORDER BY p.id",
	[STORE_HISTORY_FINDINGS] =
	    /* by the gravest that each of them was */
	    "SELECT f.id, p.name, p.id, f.type, f.severity, f.flows, f.what,"
	    " min(CASE f.severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2"
	    " WHEN 'low' THEN 3 ELSE 4 END) OVER (PARTITION BY f.id) AS gravest"
	    " FROM finding f JOIN period p ON p.id = f.period"
	    " JOIN report r ON r.period = p.id AND r.on_demand = 0"
	    " WHERE p.id >= ? ORDER BY gravest, f.id, p.id",
	[STORE_HISTORY_RULES] = "SELECT c.rule, p.name, p.id, c.status, c.flows, c.packets, c.bytes"
				" FROM coverage c JOIN period p ON p.id = c.period"
				" JOIN report r ON r.period = p.id AND r.on_demand = 0"
				" WHERE p.id >= ? ORDER BY c.rule, p.id",
	[STORE_HISTORY_HOSTS] =
	    "SELECT w.text, p.name, p.id, h.flows, h.undocumented, h.packets, h.bytes"
	    " FROM host h JOIN period p ON p.id = h.period"
	    " JOIN report r ON r.period = p.id AND r.on_demand = 0"
	    " JOIN word w ON w.id = h.host WHERE p.id >= ? ORDER BY w.text, p.id",
};

static int version_of(struct lya_store *s, int64_t *version, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int64(st, 0);
	rc = rc == SQLITE_ROW ? LYA_OK : store_error(s, rc, err);
	(void)sqlite3_finalize(st);
	return rc;
}

static int step(struct lya_store *s, int64_t from, struct lya_error *err)
{
	char sql[64];
	int rc = store_exec(s, "BEGIN IMMEDIATE", err);

	if (rc != LYA_OK)
		return rc;
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; COMMIT", (int)from + 1);
	rc = store_exec(s, steps[from], err);
	if (rc == LYA_OK)
		rc = store_exec(s, sql, err);
	if (rc != LYA_OK && sqlite3_get_autocommit(s->db) == 0)
		(void)store_exec(s, "ROLLBACK", NULL);
	return rc;
}

int store_migrate(struct lya_store *s, struct lya_error *err)
{
	int64_t version = 0;
	int rc = version_of(s, &version, err);

	if (rc == LYA_OK && (version > STORE_VERSION || version < 0))
		return lya_error_set(err, LYA_EUSAGE, s->path, NULL,
				     "was made by a newer version of this program (store %d, this "
				     "program knows up to %d)",
				     (int)version, STORE_VERSION);
	if (rc == LYA_OK && s->reading && version < STORE_VERSION)
		return lya_error_set(err, LYA_EUSAGE, s->path, NULL,
				     "is of an earlier version (store %d, this program reads %d): "
				     "the service brings it up to date when it starts",
				     (int)version, STORE_VERSION);
	for (; rc == LYA_OK && version < STORE_VERSION; version++)
		rc = step(s, version, err);
	return rc;
}
