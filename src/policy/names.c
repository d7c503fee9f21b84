/*
 * names.c - the words of verdicts, bases, grades and finding types.
 */
#include "lyncaudit/policy.h"

const char *lya_verdict_name(enum lya_verdict_kind v)
{
	static const char *const names[LYA_VERDICTS] = {
		[LYA_VERDICT_DOCUMENTED] = "documented",
		[LYA_VERDICT_OUT_OF_SCOPE] = "out-of-scope",
		[LYA_VERDICT_WAIVED] = "waived",
		[LYA_VERDICT_WRONG_DIRECTION] = "wrong-direction",
		[LYA_VERDICT_UNEXPECTED_PORT] = "unexpected-port",
		[LYA_VERDICT_UNDOCUMENTED_PATH] = "undocumented-path",
		[LYA_VERDICT_UNDETERMINED] = "undetermined",
	};

	return v < LYA_VERDICTS ? names[v] : "?";
}

const char *lya_basis_name(enum lya_basis b)
{
	static const char *const names[] = {
		[LYA_BASIS_SYN] = "syn",
		[LYA_BASIS_SYN_ACK] = "syn-ack",
		[LYA_BASIS_PROTOCOL] = "protocol",
		[LYA_BASIS_DOCUMENTED_PORT] = "documented-port",
		[LYA_BASIS_KNOWN_LISTENER] = "known-listener",
		[LYA_BASIS_PORT_ORDER] = "port-order",
		[LYA_BASIS_FIRST_PACKET] = "first-packet",
	};

	return b <= LYA_BASIS_FIRST_PACKET ? names[b] : "?";
}

const char *lya_grade_name(enum lya_grade g)
{
	static const char *const names[] = {
		[LYA_GRADE_CERTAIN] = "certain",
		[LYA_GRADE_STRONG] = "strong",
		[LYA_GRADE_HINT] = "hint",
	};

	return g <= LYA_GRADE_HINT ? names[g] : "?";
}

const char *lya_but_name(enum lya_but b)
{
	static const char *const names[] = {
		[LYA_BUT_NOTHING] = "nothing",
		[LYA_BUT_DIRECTION] = "direction",
		[LYA_BUT_PORT] = "port",
		[LYA_BUT_TRANSPORT] = "transport",
		[LYA_BUT_MODE] = "load-balancing",
		[LYA_BUT_INITIATOR] = "initiator",
		[LYA_BUT_RESPONDER] = "responder",
	};

	return b <= LYA_BUT_RESPONDER ? names[b] : "?";
}

const char *lya_finding_type_name(enum lya_finding_type t)
{
	static const char *const names[LYA_FINDING_TYPES] = {
		[LYA_FINDING_NONE] = "none",
		[LYA_FINDING_WRONG_DIRECTION] = "wrong-direction",
		[LYA_FINDING_UNEXPECTED_PORT] = "unexpected-port",
		[LYA_FINDING_UNDOCUMENTED_PATH] = "undocumented-path",
		[LYA_FINDING_AV_EDGE_SNAT] = "av-edge-snat",
		[LYA_FINDING_FEATURE_NOT_DEPLOYED] = "feature-not-deployed",
		[LYA_FINDING_WRONG_LOAD_BALANCING] = "wrong-load-balancing",
		[LYA_FINDING_CLEARTEXT] = "cleartext",
		[LYA_FINDING_MISSING_MUTUAL_TLS] = "missing-mutual-tls",
		[LYA_FINDING_PROTOCOL_MISMATCH] = "protocol-mismatch",
		[LYA_FINDING_SIP_ONE_WAY] = "sip-one-way",
		[LYA_FINDING_BLOCKED_FLOW] = "blocked-flow",
		[LYA_FINDING_MISSING_FLOW] = "missing-flow",
		[LYA_FINDING_EDGE_ROUTING] = "edge-routing",
		[LYA_FINDING_GATEWAY_MISMATCH] = "gateway-mismatch",
		[LYA_FINDING_AV_EDGE_RELAY] = "av-edge-relay",
		[LYA_FINDING_EDGE_PRIVATE_ADDRESS] = "edge-private-address",
		[LYA_FINDING_ICE_CHECK] = "ice-check",
		[LYA_FINDING_IDENTITY_MISMATCH] = "identity-mismatch",
		[LYA_FINDING_UNDECLARED_SERVER] = "undeclared-server",
		[LYA_FINDING_EXCEPTION_EXPIRED] = "exception-expired",
		[LYA_FINDING_EXCEPTION_EXPIRING] = "exception-expiring",
		[LYA_FINDING_EXCEPTION_UNUSED] = "exception-unused",
		[LYA_FINDING_SITE] = "site",
	};

	return t < LYA_FINDING_TYPES ? names[t] : "?";
}
