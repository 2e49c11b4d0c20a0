// Sends a request at a fixed rate, whatever the answers do, and tells how long they took. The time of an answer counts from
// the moment at which its request was due, so that a server that falls behind cannot hide it.
//
//   cc -O2 -o fixed_rate fixed_rate.c && ./fixed_rate PORT CONNECTIONS RATE SECONDS REQUEST_FILE
//
// REQUEST_FILE holds one whole request. Prints one line of JSON; times are in milliseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct connection {
  int fd, head_length, busy;
  size_t sent;
  int64_t due, left;
  char head[8192];
};

static char *request, swallowed[65536];
static size_t request_length;
static struct connection *connections, **idle;
static int poller, idle_count;
static double *times;
static long done, failed;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void poll_for(struct connection *c, int how, uint32_t events) {
  epoll_ctl(poller, how, c->fd, &(struct epoll_event){.events = events, .data.ptr = c});
}

static int dial(struct connection *c, int port) {
  int one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (void *)&to, sizeof to)) return -1;
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  poll_for(c, EPOLL_CTL_ADD, EPOLLIN);
  return 0;
}

static void finish(struct connection *c, int well) {
  if (well) times[done++] = (now() - c->due) / 1e6;
  else failed++;
  c->busy = 0;
  idle[idle_count++] = c;
}

static void lose(struct connection *c, int port) {
  close(c->fd);
  if (c->busy) finish(c, 0);
  if (dial(c, port)) perror("fixed_rate"), exit(1);
}

static int send_rest(struct connection *c) {
  ssize_t sent = send(c->fd, request + c->sent, request_length - c->sent, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent > 0) c->sent += sent;
  poll_for(c, EPOLL_CTL_MOD, c->sent < request_length ? EPOLLIN | EPOLLOUT : EPOLLIN);
  return 0;
}

static int start(struct connection *c, int64_t due) {
  c->busy = 1, c->due = due, c->sent = 0, c->head_length = 0, c->left = -1;
  ssize_t sent = send(c->fd, request, request_length, MSG_NOSIGNAL);
  if (sent == (ssize_t)request_length) return c->sent = sent, 0;
  if (sent < 0 && errno != EAGAIN) return -1;
  c->sent = sent > 0 ? sent : 0;
  poll_for(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  return 0;
}

// -1 when the peer is gone or does not make sense.
static int receive(struct connection *c) {
  if (c->left >= 0) {
    ssize_t read = recv(c->fd, swallowed, sizeof swallowed, 0);
    if (read <= 0) return read < 0 && errno == EAGAIN ? 0 : -1;
    c->left -= read;
  } else {
    ssize_t read = recv(c->fd, c->head + c->head_length, sizeof c->head - 1 - c->head_length, 0);
    if (read <= 0 || !c->busy) return read < 0 && errno == EAGAIN ? 0 : -1;
    c->head_length += read;
    c->head[c->head_length] = 0;
    char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "\ncontent-length:");
    if (!end) return c->head_length < (int)sizeof c->head - 1 ? 0 : -1;
    if (!length || length > end) return -1;
    c->left = atoll(length + 16) - (c->head + c->head_length - end - 4);
  }
  if (c->left == 0) finish(c, !strncmp(c->head, "HTTP/1.1 200", 12)), c->left = -1;
  return 0;
}

static int ascending(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return (difference > 0) - (difference < 0);
}

static double percentile(double p) { return done ? times[(long)(p * (done - 1))] : -1; }

int main(int argument_count, char **arguments) {
  if (argument_count != 6) return fputs("fixed_rate PORT CONNECTIONS RATE SECONDS REQUEST_FILE\n", stderr), 2;
  int port = atoi(arguments[1]), count = atoi(arguments[2]);
  double gap = 1e9 / atof(arguments[3]), seconds = atof(arguments[4]);
  int file = open(arguments[5], O_RDONLY);
  struct stat size;
  if (file < 0 || fstat(file, &size)) return perror("fixed_rate"), 1;
  request = malloc(size.st_size);
  request_length = read(file, request, size.st_size);
  long total = seconds * 1e9 / gap, begun = 0;
  times = calloc(total + 1, sizeof *times);
  connections = calloc(count, sizeof *connections);
  idle = calloc(count, sizeof *idle);
  poller = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    if (dial(&connections[i], port)) return perror("fixed_rate"), 1;
    idle[idle_count++] = &connections[i];
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  int64_t first = now(), last = first + (int64_t)(seconds * 1e9) + 5000000000LL;
  while (done + failed < total && now() < last) {
    while (begun < total && idle_count && now() >= first + (int64_t)(begun * gap)) {
      struct connection *c = idle[--idle_count];
      if (start(c, first + (int64_t)(begun++ * gap))) lose(c, port);
    }
    if (begun < total && idle_count) {
      int64_t at = first + (int64_t)(begun * gap);
      struct itimerspec when = {.it_value = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    }
    struct epoll_event events[64];
    int ready = epoll_wait(poller, events, 64, 1000);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      uint64_t ticks;
      if (!c) (void)!read(timer, &ticks, sizeof ticks);
      else if ((events[i].events & EPOLLOUT && send_rest(c)) || (events[i].events & ~EPOLLOUT && receive(c))) lose(c, port);
    }
  }
  qsort(times, done, sizeof *times, ascending);
  printf("{\"n\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}\n", done,
         total - done, (now() - first) / 1e9, percentile(.5), percentile(.99), percentile(.999), percentile(1));
  return 0;
}
