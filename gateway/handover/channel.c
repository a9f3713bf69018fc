#include "gateway/handover/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_MILLIS = 1000 };

static const char letters[] = {[MESSAGE_NONE] = 0,
#define MESSAGE(letter, name) [MESSAGE_##name] = letter,
                               CHANNEL_MESSAGES(MESSAGE)
#undef MESSAGE
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

bool channel_send(int channel, MessageKind kind, Bytes text, const int *fds, uint32_t n)
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

static MessageKind kind_of(uint8_t letter)
{
    for (size_t kind = MESSAGE_NONE + 1; kind < sizeof letters; kind++)
        if (letters[kind] == (char)letter)
            return (MessageKind)kind;
    return MESSAGE_NONE;
}

bool message_read(Message *message, size_t size)
{
    message->kind = size ? kind_of(message->bytes[0]) : MESSAGE_NONE;
    message->text = size ? bytes(message->bytes + 1, size - 1) : BYTES_NONE;
    return message->kind != MESSAGE_NONE && bytes_find(message->text, 0) == message->text.size;
}

static void take_fds(Message *message, struct msghdr *packet)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(packet); head; head = CMSG_NXTHDR(packet, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && message->n_fds < CHANNEL_FDS; i++)
            memcpy(&message->fds[message->n_fds++], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
    }
}

void message_close(Message *message)
{
    for (uint32_t i = 0; i < message->n_fds; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->n_fds = 0;
}

ChannelOutcome channel_receive(int channel, Message *message)
{
    for (;;) {
        Ancillary ancillary;
        struct iovec part = {message->bytes, sizeof message->bytes};
        struct msghdr packet = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = &ancillary,
                                .msg_controllen = sizeof ancillary};
        ssize_t size = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_CLOSED;
        message->n_fds = 0;
        take_fds(message, &packet);
        if (size == 0 && !message->n_fds)
            return CHANNEL_CLOSED;
        bool whole = !(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        if (whole && message_read(message, (size_t)size))
            return CHANNEL_MESSAGE;
        message_close(message);
    }
}
