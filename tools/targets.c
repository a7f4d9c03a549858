/* vtc targets: the rows, what can be run here, and what the tests last saw of them. */
#include "tools/command.h"
#include <stdio.h>
#include <string.h>

typedef struct Tested {
    const char *target, *backend;
    int operators, operators_of, networks, networks_of;
    const char *how;
} Tested;

static const Tested tested[] = {
#define TESTED(target, backend, operators, operators_of, networks, networks_of, how)       \
    {target, backend, operators, operators_of, networks, networks_of, how},
#include "tools/tested.def"
};
enum { TESTED_ROWS = sizeof tested / sizeof *tested };

static void print_table(void)
{
    for (int i = 0; i < target_count; i++) {
        const Target *t = &targets[i];
        printf("%-12s %2d lanes  %-7s %s%s\n", t->name, t->lanes, t->has_fma ? "fma" : "no fma",
               t->doc, t == target_host() ? " (this machine)" : "");
        for (int k = 0; k < TESTED_ROWS; k++)
            if (strcmp(tested[k].target, t->name) == 0)
                printf("    tested by %-5s operators %d/%d, networks %d/%d, %s\n",
                       tested[k].backend, tested[k].operators, tested[k].operators_of,
                       tested[k].networks, tested[k].networks_of, tested[k].how);
    }
    puts("native       this machine's row for this very processor");
}

static void json_text(const char *name, const char *value, Text *out)
{
    text_printf(out, ", \"%s\": ", name);
    text_quoted(out, value);
}

static void json_flag(const char *name, bool value, Text *out)
{
    text_printf(out, ", \"%s\": %s", name, value ? "true" : "false");
}

static void print_json(Context *c)
{
    Text out = text_new(c->arena);
    for (int i = 0; i < target_count; i++) {
        const Target *t = &targets[i];
        text_add(&out, i ? ",\n {" : "[{");
        text_printf(&out, "\"lanes\": %d, \"pointer_bytes\": %d", t->lanes, t->pointer_bytes);
        json_text("name", t->name, &out);
        json_text("doc", t->doc, &out);
        json_text("cc", t->cc, &out);
        json_text("cc_flags", t->cc_flags, &out);
        json_text("package", t->package, &out);
        json_text("triple", t->triple, &out);
        json_text("run", t->run, &out);
        json_flag("fma", t->has_fma, &out);
        json_flag("flushes", t->flushes, &out);
        json_flag("big_endian", t->big_endian, &out);
        json_flag("freestanding", t->freestanding, &out);
        json_flag("here", target_runs_here(t), &out);
        text_add(&out, "}");
    }
    printf("%s]\n", text_str(&out));
}

int command_targets(Context *c)
{
    const char *format = c->o.format ? c->o.format : "table";
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "table") != 0) {
        fprintf(stderr, "vtc: '%s' is none of: table json\n", format);
        return EXIT_CALL;
    }
    if (json)
        print_json(c);
    else
        print_table();
    return EXIT_OK;
}
