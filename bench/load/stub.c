// The backend of every gateway that is measured: one thread that swallows any body without copying it, and answers
// 64 KiB when more than 8 KiB have arrived, otherwise 1 KiB. X-Got says how many bytes of the body it has seen.
//
//   cc -O2 -o stub stub.c && ./stub PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LARGE = 65536, SMALL = 1024, LIMIT = 8192 };
enum state { HEAD, BODY, CHUNKED };
enum chunk { SIZE, DATA, DATA_END, LAST };

struct connection {
  int fd, head_length, written, head_written, waits_to_write;
  enum state state;
  enum chunk chunk;
  int64_t left, got, chunk_size;
  char head[16384], answer[256];
};

static char picture[LARGE], swallowed[65536];
static int poller;

static void close_connection(struct connection *c) {
  close(c->fd);
  free(c);
}

static void wait_for(struct connection *c, int to_write) {
  if (c->waits_to_write == to_write) return;
  struct epoll_event event = {.events = to_write ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
  c->waits_to_write = to_write;
}

// 0 or more while all is well, -1 when the peer is gone.
static int write_answer(struct connection *c) {
  int length = c->got > LIMIT ? LARGE : SMALL, whole = c->head_written + length;
  while (c->written < whole) {
    struct iovec parts[2];
    int count = 0;
    if (c->written < c->head_written) {
      parts[count++] = (struct iovec){c->answer + c->written, c->head_written - c->written};
      parts[count++] = (struct iovec){picture, length};
    } else {
      parts[count++] = (struct iovec){picture + c->written - c->head_written, whole - c->written};
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) return wait_for(c, 1), 0;
    c->written += sent;
  }
  wait_for(c, 0);
  c->state = HEAD;
  return 0;
}

static int answer(struct connection *c) {
  c->head_written = snprintf(c->answer, sizeof c->answer,
                             "HTTP/1.1 200 OK\r\nContent-Type: image/webp\r\nContent-Length: %d\r\nX-Got: %lld\r\n\r\n",
                             c->got > LIMIT ? LARGE : SMALL, (long long)c->got);
  c->written = 0;
  return write_answer(c);
}

// 1 when the last chunk has passed. No trailers are expected.
static int read_chunks(struct connection *c, const char *bytes, int count) {
  for (int i = 0; i < count;) {
    if (c->chunk == DATA) {
      int taken = count - i < c->left ? count - i : (int)c->left;
      i += taken, c->got += taken, c->left -= taken;
      if (!c->left) c->chunk = DATA_END;
      continue;
    }
    char byte = bytes[i++];
    if (c->chunk == SIZE && byte == '\n') {
      c->left = c->chunk_size;
      c->chunk = c->chunk_size ? DATA : LAST;
    } else if (c->chunk == SIZE && byte != '\r') {
      c->chunk_size = c->chunk_size * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
    } else if (c->chunk == DATA_END && byte == '\n') {
      c->chunk = SIZE, c->chunk_size = 0;
    } else if (c->chunk == LAST && byte == '\n') {
      return 1;
    }
  }
  return 0;
}

// 1 when the whole request is there, 0 for more, -1 when the peer is gone.
static int read_head(struct connection *c) {
  if (c->head_length >= (int)sizeof c->head - 1) return -1;
  ssize_t read = recv(c->fd, c->head + c->head_length, sizeof c->head - 1 - c->head_length, 0);
  if (read <= 0) return read < 0 && errno == EAGAIN ? 0 : -1;
  c->head_length += read;
  c->head[c->head_length] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (!end) return 0;
  end[2] = 0;
  char *body = end + 4;
  int there = c->head_length - (int)(body - c->head);
  c->head_length = 0, c->got = 0, c->left = 0;
  char *length = strcasestr(c->head, "\ncontent-length:");
  if (length) {
    c->got = atoll(length + 16);
    c->left = c->got - there;
    c->state = BODY;
    return c->left <= 0;
  }
  if (!strcasestr(c->head, "\ntransfer-encoding:")) return 1;
  c->state = CHUNKED, c->chunk = SIZE, c->chunk_size = 0;
  return read_chunks(c, body, there);
}

static int read_body(struct connection *c) {
  int drops = c->state == BODY;
  ssize_t read = recv(c->fd, drops ? NULL : swallowed, drops ? (size_t)c->left : sizeof swallowed, drops ? MSG_TRUNC : 0);
  if (read <= 0) return read < 0 && errno == EAGAIN ? 0 : -1;
  return drops ? !(c->left -= read) : read_chunks(c, swallowed, read);
}

// What is left unread makes the poller report the connection again.
static int readable(struct connection *c) {
  int complete = c->state == HEAD ? read_head(c) : read_body(c);
  return complete > 0 ? answer(c) : complete;
}

static void accept_one(int listener) {
  int fd = accept4(listener, 0, 0, SOCK_NONBLOCK), one = 1;
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct connection *c = calloc(1, sizeof *c);
  c->fd = fd;
  epoll_ctl(poller, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
}

int main(int count, char **arguments) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 0),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) return perror("stub"), 1;
  for (int i = 0; i < LARGE; i++) picture[i] = (char)(i * 2654435761u >> 13);
  memcpy(picture, "RIFF\xf8\xff\0\0WEBPVP8L", 16);
  poller = epoll_create1(0);
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  for (struct epoll_event events[64];;) {
    int ready = epoll_wait(poller, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) accept_one(listener);
      else if (c->waits_to_write ? write_answer(c) < 0 : readable(c) < 0) close_connection(c);
    }
  }
}
