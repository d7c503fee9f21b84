/*
 * messages.h - what the processes of the service say to one another (post.h).
 */
#ifndef LYNCAUDIT_LIVE_MESSAGES_H
#define LYNCAUDIT_LIVE_MESSAGES_H

/* Outputs by number: where they stand is known to the warden alone. */
enum live_output {
	LIVE_OUTPUT_REPORT,  /* these appear whole, by rename */
	LIVE_OUTPUT_METRICS,
	LIVE_OUTPUT_EVIDENCE, /* data: see struct live_proof_told; none: of the only report */
	LIVE_OUTPUTS
};

/* From the warden to the sensor. */
enum live_order {
	LIVE_STOP = 1,
	LIVE_RELOAD, /* fd: the configuration (bundle.h) */
	LIVE_REPORT  /* make one now */
};

/* From the sensor to the warden. */
enum live_news {
	LIVE_READY = 1, /* it listens */
	LIVE_ALIVE,     /* once a second; data: the status in a line */
	LIVE_RELOADED,  /* number 0: the new configuration is in force; 1: the old one stays */
	LIVE_PICTURE,   /* data: lines for the screen */
	LIVE_OUTPUT     /* number: which; fd: what is to stand there; data: see there */
};

/* From the sensor to the courier. */
enum live_tale {
	LIVE_TALE_FINDING = 1, /* number: enum lya_severity, perhaps with LIVE_TALE_UPDATE;
	                          data: a sentence, NUL, the finding as JSON without a line's end */
	LIVE_TALE_TROUBLE      /* data: a sentence */
};

enum { LIVE_TALE_UPDATE = 256 }; /* of a finding that was told before */

/* From the sensor to the courier, by a post of its own: a crowd of flows holds up no alarm. */
enum live_flows {
	LIVE_FLOWS_LINES = 1 /* data: whole lines of the flow log */
};

/* From the warden to the courier; when it closes the post it is over. */
enum live_errand {
	LIVE_ERRAND_FINDINGS = 1, /* fd: where lines of findings go from now on */
	LIVE_ERRAND_FLOWS         /* fd: the same of flows */
};

#endif
