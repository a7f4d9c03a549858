/* Threads that do a piece of work together, and the time of the fastest round. */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_THREADS = 256 };

typedef struct Team {
    int threads;
    void (*work)(void *context, int thread); /* one share of it */
    void *context;
    pthread_barrier_t begin, end;
    int rounds;
    double from[MOST_THREADS], to[MOST_THREADS]; /* of the round, seconds */
} Team;

typedef struct Member {
    Team *team;
    int thread;
} Member;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* To a processor of its own: rounds are over before a scheduler would part two threads
 * that woke on the same one. Where it cannot be, they stay as they are. */
static void stay_apart(int thread)
{
    cpu_set_t all, own;
    CPU_ZERO(&own);
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && thread-- == 0)
            CPU_SET(cpu, &own);
    if (CPU_COUNT(&own))
        pthread_setaffinity_np(pthread_self(), sizeof own, &own);
}

static void *member_main(void *argument)
{
    const Member *member = argument;
    Team *team = member->team;
    stay_apart(member->thread);
    for (int round = 0; round < team->rounds; round++) {
        pthread_barrier_wait(&team->begin);
        team->from[member->thread] = now();
        team->work(team->context, member->thread);
        team->to[member->thread] = now();
        pthread_barrier_wait(&team->end);
    }
    return NULL;
}

/* From the first that began to the last that ended. */
static double round_time(const Team *team)
{
    double from = team->from[0], to = team->to[0];
    for (int i = 1; i < team->threads; i++) {
        from = team->from[i] < from ? team->from[i] : from;
        to = team->to[i] > to ? team->to[i] : to;
    }
    return to - from;
}

/* Seconds of the fastest round; exits where a thread cannot be had. */
static double team_time(Team *team)
{
    pthread_t handles[MOST_THREADS];
    Member members[MOST_THREADS];
    double best = 1e9;
    unsigned all = (unsigned)team->threads + 1;
    if (pthread_barrier_init(&team->begin, NULL, all) ||
        pthread_barrier_init(&team->end, NULL, all))
        exit(1);
    for (int i = 0; i < team->threads; i++) {
        members[i] = (Member){team, i};
        if (pthread_create(&handles[i], NULL, member_main, &members[i]))
            exit(1);
    }
    for (int round = 0; round < team->rounds; round++) {
        pthread_barrier_wait(&team->begin);
        pthread_barrier_wait(&team->end);
        double time = round_time(team);
        best = time < best ? time : best;
    }
    for (int i = 0; i < team->threads; i++)
        pthread_join(handles[i], NULL);
    return best;
}

static int team_threads(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    if (threads >= 1 && threads <= MOST_THREADS)
        return threads;
    fprintf(stderr, "%s: 1 to %d threads\n", argv[0], MOST_THREADS);
    exit(2);
}

#endif
