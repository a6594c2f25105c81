/*
 * wire SOCKET < PORTS: a switch in user space whose cables have delay, jitter, loss, rate and a bounded queue, for
 * kernels without netem. Each port is a TAP device inside a network namespace of the lab; the devices are removed when
 * the process ends.
 *
 * Commands are lines, read from stdin until its end and then from the unix socket. Each is answered by one line, `ok …`
 * or `error …`. F is the number of a fabric, A, B and I are numbers of regions:
 *   port F I NETNS-PATH DEVICE MTU          a region's attachment
 *   link F A B [delay=NS] [jitter=NS] [loss=PPM] [rate=KBITPS] [queue=BYTES] [cut=0|1]    one direction of a pair
 *   shared F [rate=KBITPS] [queue=BYTES]    a rate that all pairs of the fabric share
 *   carrier F I 0|1                         the carrier that the device reports
 * `link` without settings answers with settings and counters. A rate of 0 is no limit.
 *
 * Rates use virtual time: a frame leaves at max(now, end of the frame before) + its own duration, and is dropped if the
 * bytes ahead of it exceed the queue. So each frame is scheduled once, when it arrives.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FABRICS = 4, REGIONS = 64, CLIENTS = 8, LINE = 512, FRAME = 9216 + 18, BATCH = 16, HELD = 1 << 17 };

struct rate { int64_t kbps, queue_bytes, busy_until; };
struct link { struct rate rate; int64_t delay, jitter, loss_ppm, cut, last_due, frames, bytes, dropped; };
struct frame { int64_t due; uint64_t order; struct link *link; const int *port; int length; unsigned char data[]; };
struct client { int fd, used; char text[LINE]; };

static struct link links[FABRICS][REGIONS][REGIONS];
static struct rate shared[FABRICS];
static int ports[FABRICS][REGIONS];
static struct client clients[CLIENTS];
static struct frame *heap[HELD];
static int held, events;
static uint64_t order, random_state;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint32_t below(uint32_t bound) { /* xorshift64* */
  random_state ^= random_state >> 12, random_state ^= random_state << 25, random_state ^= random_state >> 27;
  return (uint64_t)(uint32_t)((random_state * 2685821657736338717ULL) >> 32) * bound >> 32;
}

/* ---- the delay heap: earliest due time first, equal times in order of arrival */

static int earlier(const struct frame *a, const struct frame *b) {
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct frame *f) {
  int i = held++;
  for (; i && earlier(f, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
  heap[i] = f;
}

static struct frame *pop(void) {
  struct frame *first = heap[0], *last = heap[--held];
  int i = 0, child;
  for (; (child = 2 * i + 1) < held; i = child) {
    if (child + 1 < held && earlier(heap[child + 1], heap[child])) child++;
    if (!earlier(heap[child], last)) break;
    heap[i] = heap[child];
  }
  heap[i] = last;
  return first;
}

/* ---- forwarding */

/* The time at which the last bit of `length` bytes that arrive at `at` leaves; -1: the queue is full. */
static int64_t leaves(struct rate *r, int64_t at, int length) {
  if (!r->kbps) return at;
  int64_t start = r->busy_until > at ? r->busy_until : at;
  if ((start - at) / 1000 * r->kbps / 8000 + length > r->queue_bytes) return -1;
  return r->busy_until = start + length * 8000000LL / r->kbps;
}

static void send_over(int fabric, int from, int to, const unsigned char *data, int length, int64_t at) {
  struct link *l = &links[fabric][from][to];
  if (ports[fabric][to] < 0) return;
  if (l->cut || (l->loss_ppm && below(1000000) < l->loss_ppm) || held == HELD) { l->dropped++; return; }
  if ((at = leaves(&shared[fabric], at, length)) < 0 || (at = leaves(&l->rate, at, length)) < 0) { l->dropped++; return; }
  struct frame *f = malloc(sizeof *f + length);
  if (!f) { l->dropped++; return; }
  at += l->delay + (l->jitter ? below(l->jitter) : 0);
  f->due = l->last_due = at > l->last_due ? at : l->last_due; /* jitter does not reorder */
  f->order = order++, f->link = l, f->port = &ports[fabric][to], f->length = length;
  memcpy(f->data, data, length);
  push(f);
}

static void receive(int fabric, int from) {
  static unsigned char data[FRAME];
  for (int i = 0; i < BATCH; i++) {
    int length = read(ports[fabric][from], data, sizeof data);
    if (length < 14) {
      if (length < 0 && errno != EAGAIN && errno != EINTR) { /* the namespace was removed */
        close(ports[fabric][from]);
        ports[fabric][from] = -1;
      }
      return;
    }
    int64_t at = now();
    if (data[0] & 1) {
      for (int to = 0; to < REGIONS; to++)
        if (to != from) send_over(fabric, from, to, data, length, at);
    } else if (data[0] == 2 && data[1] == 'e' && data[2] == 'p' && data[5] < REGIONS && data[5] != from) {
      send_over(fabric, from, data[5], data, length, at); /* 02:65:70:00:FABRIC:REGION */
    }
  }
}

static void deliver_due(void) {
  for (int64_t at = now(); held && heap[0]->due <= at;) {
    struct frame *f = pop();
    if (f->link->cut || write(*f->port, f->data, f->length) != f->length) f->link->dropped++;
    else f->link->frames++, f->link->bytes += f->length;
    free(f);
  }
}

/* ---- control */

static const char *attach(int fabric, int region, const char *netns, const char *device, int mtu) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = open(netns, O_RDONLY | O_CLOEXEC);
  if (there < 0 || setns(there, CLONE_NEWNET)) return "cannot enter the namespace";
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  snprintf(request.ifr_name, IFNAMSIZ, "%s", device);
  if (fd < 0) return "cannot open /dev/net/tun";
  if (ioctl(fd, TUNSETIFF, &request)) return "cannot create the device";
  unsigned char mac[6] = {2, 'e', 'p', 0, fabric, region};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(request.ifr_hwaddr.sa_data, mac, 6);
  if (ioctl(fd, SIOCSIFHWADDR, &request)) return "cannot set the hardware address";
  request.ifr_mtu = mtu;
  if (ioctl(control, SIOCSIFMTU, &request)) return "cannot set the MTU";
  close(control), close(there);
  if (setns(own, CLONE_NEWNET)) return "cannot return from the namespace";
  close(own);
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = 1000 + fabric * REGIONS + region};
  ports[fabric][region] = fd;
  return epoll_ctl(events, EPOLL_CTL_ADD, fd, &e) ? "cannot watch the device" : 0;
}

/* Reads `name=number` settings; returns the first unknown one, or 0. */
static const char *settings(char *text, const char *const *names, int64_t *const *values) {
  for (char *word = strtok(text, " "); word; word = strtok(0, " ")) {
    char *value = strchr(word, '='), *end = "?";
    int i = 0;
    if (!value) return word;
    *value++ = 0;
    while (names[i] && strcmp(names[i], word)) i++;
    int64_t number = strtoll(value, &end, 10);
    if (!names[i] || *end || number < 0) return word;
    *values[i] = number;
  }
  return 0;
}

static void obey(char *line, char *answer) {
  int f, a, b, on, mtu, rest = 0;
  char netns[256], device[IFNAMSIZ];
  const char *wrong = "unknown command";
  if (sscanf(line, "port %d %d %255s %15s %d", &f, &a, netns, device, &mtu) == 5) {
    wrong = f < 0 || f >= FABRICS || a < 0 || a >= REGIONS || ports[f][a] >= 0 ? "no such free port" : attach(f, a, netns, device, mtu);
    snprintf(answer, LINE, "ok");
  } else if (sscanf(line, "link %d %d %d%n", &f, &a, &b, &rest) == 3 && f >= 0 && f < FABRICS && a >= 0 && a < REGIONS && b >= 0 && b < REGIONS) {
    struct link *l = &links[f][a][b];
    const char *names[] = {"delay", "jitter", "loss", "rate", "queue", "cut", 0};
    int64_t *values[] = {&l->delay, &l->jitter, &l->loss_ppm, &l->rate.kbps, &l->rate.queue_bytes, &l->cut};
    if (line[rest]) l->last_due = 0;
    wrong = settings(line + rest, names, values);
    snprintf(answer, LINE, "ok delay=%ld jitter=%ld loss=%ld rate=%ld queue=%ld cut=%ld frames=%ld bytes=%ld dropped=%ld", l->delay, l->jitter,
             l->loss_ppm, l->rate.kbps, l->rate.queue_bytes, l->cut, l->frames, l->bytes, l->dropped);
  } else if (sscanf(line, "shared %d%n", &f, &rest) == 1 && f >= 0 && f < FABRICS) {
    const char *names[] = {"rate", "queue", 0};
    int64_t *values[] = {&shared[f].kbps, &shared[f].queue_bytes};
    wrong = settings(line + rest, names, values);
    snprintf(answer, LINE, "ok rate=%ld queue=%ld", shared[f].kbps, shared[f].queue_bytes);
  } else if (sscanf(line, "carrier %d %d %d", &f, &a, &on) == 3 && f >= 0 && f < FABRICS && a >= 0 && a < REGIONS && ports[f][a] >= 0) {
    wrong = ioctl(ports[f][a], TUNSETCARRIER, &on) ? "cannot set the carrier" : 0;
    snprintf(answer, LINE, "ok");
  }
  if (wrong) snprintf(answer, LINE, "error %s%s%s", wrong, errno ? ": " : "", errno ? strerror(errno) : "");
}

static void listen_to(struct client *c) {
  int length = read(c->fd, c->text + c->used, LINE - 1 - c->used);
  if (length <= 0) { close(c->fd), c->fd = -1; return; }
  c->text[c->used += length] = 0;
  for (char *end; (end = strchr(c->text, '\n'));) {
    char answer[LINE + 1];
    *end = 0, errno = 0;
    obey(c->text, answer);
    strcat(answer, "\n");
    if (send(c->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) { close(c->fd), c->fd = -1; return; }
    memmove(c->text, end + 1, (c->used -= end + 1 - c->text) + 1);
  }
  if (c->used == LINE - 1) close(c->fd), c->fd = -1; /* the line is too long */
}

static void meet(int listener) {
  int fd = accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK), i = 0;
  while (i < CLIENTS && clients[i].fd >= 0) i++;
  if (fd < 0 || i == CLIENTS) { close(fd); return; }
  clients[i] = (struct client){.fd = fd};
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = 1 + i};
  epoll_ctl(events, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv) {
  char line[LINE], answer[LINE + 1];
  if (argc != 2) return fprintf(stderr, "usage: wire SOCKET < PORTS\n"), 2;
  random_state = now() | 1;
  prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 µs would use a quarter of the error that the lab may have */
  setpriority(PRIO_PROCESS, 0, -15); /* run before other work; without root this fails harmlessly */
  memset(ports, -1, sizeof ports);
  for (int i = 0; i < CLIENTS; i++) clients[i].fd = -1;
  events = epoll_create1(EPOLL_CLOEXEC);
  for (int number = 1; fgets(line, sizeof line, stdin); number++) {
    line[strcspn(line, "\n")] = 0, errno = 0;
    obey(line, answer);
    if (strncmp(answer, "ok", 2)) return fprintf(stderr, "line %d (%s): %s\n", number, line, answer), 1;
  }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = 0}, ready[64];
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, CLIENTS)) return perror(argv[1]), 1;
  epoll_ctl(events, EPOLL_CTL_ADD, listener, &e);
  puts("ready");
  fclose(stdout);
  for (;;) {
    int64_t left = held ? heap[0]->due - now() : 0;
    struct timespec wait = {.tv_sec = left > 0 ? left / 1000000000 : 0, .tv_nsec = left > 0 ? left % 1000000000 : 0};
    int count = epoll_pwait2(events, ready, 64, held ? &wait : 0, 0);
    for (int i = 0; i < count; i++) {
      uint32_t who = ready[i].data.u32;
      if (who >= 1000) receive((who - 1000) / REGIONS, (who - 1000) % REGIONS);
      else if (who) listen_to(&clients[who - 1]);
      else meet(listener);
    }
    deliver_due();
  }
}
