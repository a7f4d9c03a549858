/* races THREADS: runs a network a few times on so many threads; compiled, like the network and the
 * runtime, with the thread sanitizer, which tells what two tasks of a step both touch. */
#include NETWORK_HEADER
#include "bench.h"
#include "session.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    enum { RUNS = 3 };
    VtcSession session;
    VtcError error;
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    int status = vtc_session_open(&session, &NETWORK, NULL, threads, &error);
    if (status != VTC_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    vtc_bench_pattern(&session);
    for (int i = 0; i < RUNS && status == VTC_OK; i++)
        status = vtc_session_run(&session, &error);
    vtc_session_close(&session);
    return status != VTC_OK;
}
