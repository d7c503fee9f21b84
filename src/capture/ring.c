/*
 * ring.c - a packet socket read through memory that the kernel fills.
 */
#include "capture/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/adapter.h"
#include "lyncaudit/timeutil.h"

enum {
	TAG_LEN = 4,        /* of a VLAN tag that is put back in front of what it was taken from */
	ADDRESSES_LEN = 12, /* of an Ethernet header, in front of the tag */
	LINE = 64,
	AHEAD = 2048,
	FRAME_LEAST = 2048,  /* by which the kernel checks the ring's size; frames have any */
	GROUP_MADE = 1 << 16 /* beside the number of a group, which may be 0 */
};

#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING /* Linux 5.17 */
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

static int fail(const struct capture_ring_options *o, const char *what, struct lya_error *err)
{
	return lya_error_set(err, errno == ENOMEM ? LYA_ENOMEM : LYA_EIO, o->name, NULL, "%s: %s",
			     what, strerror(errno));
}

uint16_t capture_ring_link(int arphrd)
{
	return arphrd == ARPHRD_ETHER || arphrd == ARPHRD_LOOPBACK ? LYA_LINK_ETHERNET
								   : LYA_LINK_RAW;
}

/*
 * A number that no other descriptor has, so that a filter of system calls can tell
 * it from those that may be written to (src/sys/seccomp.c).
 */
static int ring_socket(struct capture_ring *r, const struct capture_ring_options *o,
		       struct lya_error *err)
{
	int fd = socket(AF_PACKET, (r->cooked ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);

	if (fd == -1 && (errno == EPERM || errno == EACCES))
		return lya_error_set(err, LYA_EIO, o->name, NULL,
				     "listening wants the capability CAP_NET_RAW: run as root, or give "
				     "it to the program (setcap cap_net_raw+ep PROGRAM)");
	if (fd == -1)
		return fail(o, "a packet socket cannot be opened", err);
	r->fd = fcntl(fd, F_DUPFD_CLOEXEC, CAPTURE_RING_FD_MIN);
	(void)close(fd);
	return r->fd == -1 ? fail(o, "a packet socket cannot be kept", err) : LYA_OK;
}

static int set(int fd, int option, const void *value, size_t len)
{
	return setsockopt(fd, SOL_PACKET, option, value, (socklen_t)len);
}

/* Before it has memory: how its frames are to be laid out. */
static int ring_layout(const struct capture_ring *r, const struct capture_ring_options *o,
		       struct lya_error *err)
{
	int version = TPACKET_V3;
	unsigned room = TAG_LEN;

	if (set(r->fd, PACKET_VERSION, &version, sizeof(version)) == -1 ||
	    set(r->fd, PACKET_RESERVE, &room, sizeof(room)) == -1)
		return fail(o, "the kernel has no TPACKET_V3", err);
	return LYA_OK;
}

/* The kernel empties the socket's queue when it gets a ring instead, but has counted its losses. */
int capture_ring_furnish(struct capture_ring *r, const struct capture_ring_options *o,
			 struct lya_error *err)
{
	size_t bytes = o->bytes == 0 ? (size_t)CAPTURE_RING_BYTES : o->bytes;
	struct tpacket_req3 req = { .tp_block_size = CAPTURE_RING_BLOCK,
				    .tp_frame_size = FRAME_LEAST,
				    .tp_retire_blk_tov = CAPTURE_RING_TIMEOUT_MS };
	void *map;

	req.tp_block_nr = (unsigned)(bytes / CAPTURE_RING_BLOCK);
	req.tp_frame_nr = req.tp_block_nr * (CAPTURE_RING_BLOCK / FRAME_LEAST);
	if (set(r->fd, PACKET_RX_RING, &req, sizeof(req)) == -1)
		return fail(o, "there is no memory for the packet buffer (--buffer)", err);
	map = mmap(NULL, (size_t)req.tp_block_nr * CAPTURE_RING_BLOCK, PROT_READ | PROT_WRITE,
		   MAP_SHARED, r->fd, 0);
	if (map == MAP_FAILED)
		return fail(o, "the packet buffer cannot be mapped", err);
	r->map = map;
	r->n_blocks = req.tp_block_nr;
	(void)capture_ring_dropped(r);
	return LYA_OK;
}

static int ring_filter(const struct capture_ring *r, const struct capture_ring_options *o,
		       struct lya_error *err)
{
	struct sock_fprog program;

	if (o->filter == NULL)
		return LYA_OK;
	program.len = (unsigned short)o->filter->bf_len;
	program.filter = (void *)o->filter->bf_insns; /* the same by another name */
	if (setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == -1)
		return fail(o, "the filter cannot be attached", err);
	return LYA_OK;
}

/*
 * What one ring has no room for comes to another: frames of all are read in order of their
 * time, so it matters to nobody which they come through.
 */
int capture_ring_join(struct capture_ring *r, const struct capture_ring_options *o, unsigned *group,
		      struct lya_error *err)
{
	unsigned how = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_ROLLOVER;
	unsigned value;
	socklen_t len = sizeof(value);

	if (o->arphrd == ARPHRD_LOOPBACK)
		how |= PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
	if (*group == 0)
		how |= PACKET_FANOUT_FLAG_UNIQUEID; /* a number that no other program has */
	value = (*group & 0xffff) | how << 16;
	if (set(r->fd, PACKET_FANOUT, &value, sizeof(value)) == -1)
		return fail(o, "the kernel spreads no packets (--threads)", err);
	if (*group == 0 && getsockopt(r->fd, SOL_PACKET, PACKET_FANOUT, &value, &len) == -1)
		return fail(o, "the kernel tells nothing of its group", err);
	*group = value | GROUP_MADE;
	return LYA_OK;
}

/* A loopback shows every frame twice, as it leaves and as it comes. */
static void ring_once(const struct capture_ring *r, const struct capture_ring_options *o)
{
	int yes = 1;

	if (o->arphrd == ARPHRD_LOOPBACK)
		(void)set(r->fd, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
}

int capture_ring_open(struct capture_ring *r, const struct capture_ring_options *o,
		      struct lya_error *err)
{
	int rc;

	*r = (struct capture_ring){ .fd = -1 };
	r->link = capture_ring_link(o->arphrd);
	r->cooked = r->link != LYA_LINK_ETHERNET;
	rc = ring_socket(r, o, err);
	if (rc == LYA_OK)
		rc = ring_layout(r, o, err);
	if (rc == LYA_OK)
		rc = ring_filter(r, o, err);
	if (rc == LYA_OK && o->adapter_time)
		rc = capture_adapter_stamp(r->fd, o->name, err);
	if (rc == LYA_OK)
		ring_once(r, o);
	else
		capture_ring_close(r);
	return rc;
}

void capture_ring_close(struct capture_ring *r)
{
	if (r->map != NULL)
		(void)munmap(r->map, (size_t)r->n_blocks * CAPTURE_RING_BLOCK);
	if (r->fd != -1)
		(void)close(r->fd);
	*r = (struct capture_ring){ .fd = -1 };
}

int capture_ring_bind(struct capture_ring *r, int ifindex)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = ifindex };
	struct packet_mreq all = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };

	if (bind(r->fd, (const struct sockaddr *)&to, sizeof(to)) == -1)
		return -1;
	return set(r->fd, PACKET_ADD_MEMBERSHIP, &all, sizeof(all));
}

/* Blocks ------------------------------------------------------------------- */

static struct tpacket_hdr_v1 *block_at(const struct capture_ring *r, unsigned i)
{
	void *block = r->map + (size_t)i * CAPTURE_RING_BLOCK;

	return &((struct tpacket_block_desc *)block)->hdr.bh1;
}

void capture_ring_release(struct capture_ring *r, uint64_t blocks)
{
	for (; r->released < blocks; r->released++) {
		__atomic_store_n(&block_at(r, r->held)->block_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		r->held = r->held + 1 < r->n_blocks ? r->held + 1 : 0;
	}
}

static void block_done(struct capture_ring *r)
{
	r->done++;
	r->at = r->at + 1 < r->n_blocks ? r->at + 1 : 0;
}

/* Open the next block if the kernel has handed it over. */
static bool block_open(struct capture_ring *r)
{
	const struct tpacket_hdr_v1 *block;

	while (r->done - r->released < r->n_blocks) {
		block = block_at(r, r->at);
		if ((__atomic_load_n(&block->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
			return false;
		r->left = block->num_pkts;
		r->next = r->map + (size_t)r->at * CAPTURE_RING_BLOCK + block->offset_to_first_pkt;
		if (r->left > 0)
			return true;
		block_done(r);
	}
	return false;
}

static const struct tpacket3_hdr *header_at(const uint8_t *p)
{
	return (const void *)p;
}

static int64_t header_time(const struct tpacket3_hdr *h)
{
	return h->tp_sec * LYA_SECOND_NS + h->tp_nsec;
}

bool capture_ring_peek(struct capture_ring *r, int64_t *time_ns, bool *fresh)
{
	if (r->left == 0) {
		if (!block_open(r))
			return false;
		*fresh = true;
	}
	*time_ns = header_time(header_at(r->next));
	return true;
}

/* The kernel keeps the outer tag beside the frame: put it back where it was. */
static void tag_restore(const struct tpacket3_hdr *h, uint8_t *data, struct lya_frame *f)
{
	uint16_t type = ETH_P_8021Q;

	if ((h->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0)
		type = h->hv1.tp_vlan_tpid;
	memmove(data - TAG_LEN, data, ADDRESSES_LEN);
	data[ADDRESSES_LEN - TAG_LEN] = (uint8_t)(type >> 8);
	data[ADDRESSES_LEN - TAG_LEN + 1] = (uint8_t)type;
	data[ADDRESSES_LEN - TAG_LEN + 2] = (uint8_t)(h->hv1.tp_vlan_tci >> 8);
	data[ADDRESSES_LEN - TAG_LEN + 3] = (uint8_t)h->hv1.tp_vlan_tci;
	f->data = data - TAG_LEN;
	f->caplen += TAG_LEN;
	f->wirelen += TAG_LEN;
}

static void frame_fill(struct capture_ring *r, const struct tpacket3_hdr *h, struct lya_frame *f)
{
	uint8_t *data = r->map + ((const uint8_t *)h - r->map) + h->tp_mac;

	f->time_ns = header_time(h);
	f->data = data;
	f->caplen = h->tp_snaplen;
	f->wirelen = h->tp_len;
	f->link = r->link;
	f->iface = 0;
	f->flags = 0;
	f->digits = 9;
	if ((h->tp_status & TP_STATUS_VLAN_VALID) != 0 && !r->cooked &&
	    h->tp_snaplen >= ADDRESSES_LEN) {
		r->tagged++;
		tag_restore(h, data, f);
	}
}

size_t capture_ring_take(struct capture_ring *r, struct lya_frame *frames, size_t max,
			 int64_t until_ns)
{
	size_t n = 0;

	while (n < max && (r->left > 0 || block_open(r))) {
		const struct tpacket3_hdr *h = header_at(r->next);

		if (header_time(h) >= until_ns)
			break;
		__builtin_prefetch(r->next + AHEAD);
		__builtin_prefetch(r->next + AHEAD + LINE);
		r->next += h->tp_next_offset;
		frame_fill(r, h, &frames[n++]);
		if (--r->left == 0)
			block_done(r);
	}
	return n;
}

/* What the socket knows ------------------------------------------------------ */

uint64_t capture_ring_dropped(struct capture_ring *r)
{
	struct tpacket_stats_v3 stats = { 0 };
	socklen_t len = sizeof(stats);

	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == -1)
		return 0;
	return stats.tp_drops;
}

bool capture_ring_failed(struct capture_ring *r)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0;
}
