/*
 * A storm of calls: storm PORT RATE SECONDS KINDS: so many calls per second of /storm0/x to
 * /storm(KINDS - 1)/x, at random times (a Poisson process, as of many clients that do not know each
 * other), whether or not others were answered. Prints how many were sent, and how many were
 * answered with 503.
 */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 32, NANOS = 1000000000 };

static int sockets[CONNECTIONS];
static long long sent, answered;

static int open_connection(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connecting");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void take_answers(int fd)
{
    static char data[1 << 16];
    ssize_t n = recv(fd, data, sizeof data - 1, MSG_DONTWAIT);
    for (char *at = data, *end = data + (n > 0 ? n : 0);
         (at = memmem(at, (size_t)(end - at), "HTTP/1.1 503", 12)); at++)
        answered++;
}

static void call(int fd, int kind)
{
    char request[128];
    int size =
        snprintf(request, sizeof request, "GET /storm%d/x HTTP/1.1\r\nHost: x\r\n\r\n", kind);
    if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
        perror("sending");
        exit(1);
    }
    sent++;
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * (long long)NANOS + time.tv_nsec;
}

static void sleep_until(long long until)
{
    struct timespec time = {until / NANOS, until % NANOS};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

int main(int n, char **words)
{
    if (n != 5)
        return 2;
    int port = atoi(words[1]), kinds = atoi(words[4]);
    double rate = atof(words[2]), at = 0;
    long long began, end;
    for (int i = 0; i < CONNECTIONS; i++)
        sockets[i] = open_connection(port);
    began = now();
    end = (long long)(atof(words[3]) * NANOS);
    for (int i = 0; at < (double)end; i++) {
        at += -log1p(-drand48()) / rate * NANOS;
        sleep_until(began + (long long)at);
        take_answers(sockets[i % CONNECTIONS]);
        call(sockets[i % CONNECTIONS], i % kinds);
    }
    usleep(100000);
    for (int i = 0; i < CONNECTIONS; i++)
        take_answers(sockets[i]);
    printf("%lld sent, %lld answered with 503\n", sent, answered);
    return 0;
}
