#include "gateway/handover/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_MILLIS = 1000 };

static const char letters[] = {[NOTICE_NONE] = 0,
#define NOTICE(letter, name) [NOTICE_##name] = letter,
                               CHANNEL_NOTICES(NOTICE)
#undef NOTICE
};

bool channel_open(int ends_out[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_out) == 0;
}

/* Room for CHANNEL_FDS descriptors, with the alignment that the kernel wants. */
typedef union Ancillary {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS)];
} Ancillary;

static void add_fds(struct msghdr *packet, Ancillary *ancillary, const int *fds, uint32_t n)
{
    if (n == 0)
        return;
    memset(ancillary, 0, sizeof *ancillary);
    packet->msg_control = ancillary;
    packet->msg_controllen = CMSG_SPACE(sizeof(int) * n);
    struct cmsghdr *head = CMSG_FIRSTHDR(packet);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(head), fds, sizeof(int) * n);
}

bool channel_send(int channel, NoticeKind kind, Bytes text, const int *fds, uint32_t n)
{
    if (n > CHANNEL_FDS)
        return false;
    Bytes fits = bytes_slice(text, 0, CHANNEL_TEXT);
    Ancillary ancillary;
    struct iovec parts[] = {{(void *)&letters[kind], 1}, {(void *)fits.data, fits.size}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = fits.size ? 2 : 1};
    add_fds(&packet, &ancillary, fds, n);
    for (;;) {
        if (sendmsg(channel, &packet, MSG_NOSIGNAL) >= 0)
            return true;
        struct pollfd room = {.fd = channel, .events = POLLOUT};
        if (errno == EAGAIN && poll(&room, 1, SEND_MILLIS) == 1)
            continue;
        if (errno != EINTR)
            return false;
    }
}

static NoticeKind kind_of(uint8_t letter)
{
    for (size_t kind = NOTICE_NONE + 1; kind < sizeof letters; kind++)
        if (letters[kind] == (char)letter)
            return (NoticeKind)kind;
    return NOTICE_NONE;
}

bool notice_read(Notice *notice, size_t size)
{
    notice->kind = size ? kind_of(notice->bytes[0]) : NOTICE_NONE;
    notice->text = size ? bytes(notice->bytes + 1, size - 1) : BYTES_NONE;
    return notice->kind != NOTICE_NONE && bytes_find(notice->text, 0) == notice->text.size;
}

static void take_fds(Notice *notice, struct msghdr *packet)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(packet); head; head = CMSG_NXTHDR(packet, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && notice->n_fds < CHANNEL_FDS; i++)
            memcpy(&notice->fds[notice->n_fds++], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
    }
}

void notice_close(Notice *notice)
{
    for (uint32_t i = 0; i < notice->n_fds; i++)
        if (notice->fds[i] >= 0)
            close(notice->fds[i]);
    notice->n_fds = 0;
}

ChannelOutcome channel_receive(int channel, Notice *notice)
{
    for (;;) {
        Ancillary ancillary;
        struct iovec part = {notice->bytes, sizeof notice->bytes};
        struct msghdr packet = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = &ancillary,
                                .msg_controllen = sizeof ancillary};
        ssize_t size = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_CLOSED;
        notice->n_fds = 0;
        take_fds(notice, &packet);
        if (size == 0 && !notice->n_fds)
            return CHANNEL_CLOSED;
        bool whole = !(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        if (whole && notice_read(notice, (size_t)size))
            return CHANNEL_NOTICE;
        notice_close(notice);
    }
}
